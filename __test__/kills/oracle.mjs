// What a database may hold after its writer was killed, or the power was cut.
//
// Of each writer's operations a prefix must be there, in full: no holes, no halves, nothing that was deleted. It ends
// no earlier than the last operation that was acknowledged at a level that outlives the process, or the power, and no
// later than the last one that was called. And if something is there, whatever had been acknowledged before it was called is there
// too, whoever wrote it.
import assert from 'node:assert/strict';
import { contentOf, operations } from './plan.mjs';

/** @typedef {{ version: number, by: string, length: number }} Content */

/** What a database holds: by table, and by key. Every way to read it must say the same. */
export async function readAll(db) {
  const tables = new Map();
  for (const table of db.listTables()) {
    const entries = await db.get(table);
    const records = new Map();
    for (const [key, value] of entries) {
      const record = await db.getRecord(table, key);
      assert.deepEqual(record?.value, value, `${table} ${key}: a range and a key read the same`);
      assert.equal(value.filler, 'x'.repeat(value.filler.length), `${table} ${key}: is whole`);
      records.set(key, { version: record.version, by: value.by, length: value.filler.length });
    }
    assert.equal(await db.getTableSize(table), entries.length, `${table}: the count is right`);
    tables.set(table, records);
  }
  return tables;
}

/** Does an operation to `tables`, and returns what it has touched: pairs of a table and a key, or a table alone. */
function apply(tables, { kind, table, items = [] }, round, index) {
  if (kind === 'drop') {
    const keys = [...(tables.get(table)?.keys() ?? [])];
    tables.delete(table);
    return [[table], ...keys.map((key) => [table, key])];
  }
  for (const [part, item] of items.entries()) {
    const records = tables.get(item.table);
    if (item.type === 'del') records?.delete(item.key);
    else {
      const { by } = contentOf(item, round, index, part);
      const version = (records?.get(item.key)?.version ?? 0) + 1;
      const target = records ?? new Map();
      tables.set(item.table, target.set(item.key, { version, by, length: item.length }));
    }
  }
  return items.flatMap((item) => [[item.table], [item.table, item.key]]);
}

function differs(expected, actual, [table, key]) {
  const [one, other] = [expected.get(table), actual.get(table)];
  if (key === undefined) return (one === undefined) !== (other === undefined);
  const [a, b] = [one?.get(key), other?.get(key)];
  return a?.version !== b?.version || a?.by !== b?.by || a?.length !== b?.length;
}

const placesOf = (tables) =>
  [...tables].flatMap(([table, records]) => [[table], ...[...records.keys()].map((key) => [table, key])]);
const nameOf = (place) => place.join(' ');

/** After how many of the first `issued` operations what is expected is what is there: every number that fits. */
function fits(before, actual, plan, round, issued) {
  const expected = new Map([...before].map(([table, records]) => [table, new Map(records)]));
  const places = [...placesOf(expected), ...placesOf(actual)];
  const wrong = new Set(places.filter((place) => differs(expected, actual, place)).map(nameOf));
  const found = wrong.size === 0 ? [0] : [];
  let least = { count: 0, wrong: [...wrong] };
  for (let index = 0; index < issued; index += 1) {
    for (const place of apply(expected, plan[index], round, index)) {
      if (differs(expected, actual, place)) wrong.add(nameOf(place));
      else wrong.delete(nameOf(place));
    }
    if (wrong.size === 0) found.push(index + 1);
    if (wrong.size < least.wrong.length) least = { count: index + 1, wrong: [...wrong] };
  }
  return { found, least };
}

/** Whether it is promised that all up to this operation is still there once it is acknowledged. */
function isSafe({ kind, level }, powerWasCut) {
  if (kind === 'drop' || kind === 'flush' || kind === 'close') return true;
  return level === 'full' || (level === 'os' && !powerWasCut);
}

/** What a writer's output says: how far it came, and the order of it all. */
export function parseTrace(text) {
  const lines = text
    .split('\n')
    .slice(0, -1)
    .map((line) => line.split(' '));
  const begun = {};
  const writers = new Map();
  const events = [];
  for (const [what, first, second] of lines) {
    if (what === 'b') {
      begun[first] = (begun[first] ?? 0) + 1;
      continue;
    }
    const [writer, number] = [Number(first), Number(second)];
    if (!writers.has(writer)) writers.set(writer, { issued: 0, acknowledged: new Set() });
    const state = writers.get(writer);
    if (what === 'i') state.issued = number;
    else state.acknowledged.add(number);
    events.push({ what, writer, number });
  }
  return { begun, writers, events };
}

/** Keeps what the database must hold, from round to round. */
export class Oracle {
  #tables = new Map();

  /**
   * Compares with what is there, which from then on is what must be there.
   * @returns how many acknowledged operations had to be there
   */
  check({ seed, round, level, actual, trace, powerWasCut }) {
    const results = new Map();
    for (const writer of this.#writersOf(actual, trace)) {
      results.set(writer, this.#checkWriter({ seed, round, level, actual, trace, powerWasCut, writer }));
    }
    checkOrder(results, trace.events);
    this.#tables = actual;
    return [...results.values()].reduce((sum, { safe }) => sum + safe, 0);
  }

  #writersOf(actual, trace) {
    const ofTables = [...this.#tables.keys(), ...actual.keys()].map((table) => Number(/^w(\d)-\d$/.exec(table)?.[1]));
    return new Set([...trace.writers.keys(), ...ofTables]);
  }

  #checkWriter({ seed, round, level, actual, trace, powerWasCut, writer }) {
    const own = (tables) => new Map([...tables].filter(([table]) => table.startsWith(`w${writer}-`)));
    const { issued, acknowledged } = trace.writers.get(writer) ?? { issued: 0, acknowledged: new Set() };
    const source = operations(seed, round, writer);
    const plan = Array.from({ length: issued }, () => source.next().value);
    const defaultLevel = level === 'mixed' ? 'os' : level;
    // delete() has no level of its own.
    for (const operation of plan)
      if (operation.items?.[0].type === 'del' && operation.kind === 'single') operation.level = defaultLevel;
    const safe = [...acknowledged].filter((index) => isSafe(plan[index], powerWasCut));
    const floor = safe.reduce((most, index) => Math.max(most, index + 1), 0);
    const { found, least } = fits(own(this.#tables), own(actual), plan, round, issued);
    const counts = found.filter((count) => count >= floor);
    assert.ok(
      counts.length > 0,
      `writer ${writer}: the first ${floor} to ${issued} operations must be there, and ${
        found.length > 0
          ? `only ${found.at(-1)} are`
          : `no prefix is; nearest is ${least.count}, but for ${least.wrong.slice(0, 8).join(', ')}`
      }`,
    );
    return { least: counts[0], most: counts.at(-1), safe: [...acknowledged].filter((index) => index < floor).length };
  }
}

/** If something is there, all that had been acknowledged before it was called is there too. */
function checkOrder(results, events) {
  const issued = new Map();
  let last = -1;
  for (const [position, { what, writer, number }] of events.entries()) {
    if (what !== 'i') continue;
    // An operation of this group is there if more are than were called before it.
    if (results.get(writer).least > (issued.get(writer) ?? 0)) last = position;
    issued.set(writer, number);
  }
  for (const { what, writer, number } of events.slice(0, Math.max(last, 0))) {
    if (what !== 'a') continue;
    assert.ok(
      results.get(writer).most > number,
      `operation ${number} of writer ${writer} is gone, though a later one of another writer is there`,
    );
  }
}
