// Writes by its plan without end, and prints what it does. Somebody kills it.
//   i <writer> <end>     operations before `end` may have been called from now on
//   a <writer> <index>   an operation has been acknowledged
//   b <what>             it is called now: opening, flush, compact, close or drop
import { writeSync } from 'node:fs';
import process from 'node:process';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { CairnDB } from 'cairndb';
import { contentOf, operations, planRound, random } from './plan.mjs';

const [directory, seed, round] = isMainThread
  ? [process.argv[2], Number(process.argv[3]), Number(process.argv[4])]
  : workerData.round;
const { writers, level, options } = planRound(seed, round);
const defaultLevel = level === 'mixed' ? 'os' : level;

/** One short call for a line: lines of threads do not mix, and what was printed outlives the process. */
function say(...words) {
  const line = `${words.join(' ')}\n`;
  for (;;) {
    try {
      return writeSync(1, line);
    } catch (error) {
      // Whoever reads is slower than we are.
      if (error.code !== 'EAGAIN') throw error;
    }
  }
}

async function start(db) {
  say('b', 'opening');
  await db.start();
}

/** Conditions are about what stands there before the operation, which nobody else writes to. */
async function withConditions(db, items) {
  const result = [];
  for (const item of items) {
    const record = item.conditional ? await db.getRecord(item.table, item.key) : undefined;
    result.push(item.conditional ? { ...item, ifVersion: record?.version ?? 0 } : item);
  }
  return result;
}

async function perform(db, { kind, table, items, level }, index) {
  if (kind === 'drop') return db.deleteTable(table);
  if (kind === 'flush') return db.flush();
  if (kind === 'compact') return db.compact();
  if (kind === 'close') return db.close();
  const full = items.map((item, part) => toOperation(item, index, part));
  if (kind === 'batch') return db.batch(full, { durability: level });
  const [{ type, table: of, key, value, ifVersion }] = full;
  return type === 'del' ? db.delete(of, key) : db.write(of, key, value, { durability: level, ifVersion });
}

function toOperation({ type, table, key, ifVersion, ...rest }, index, part) {
  if (type === 'del') return { type, table, key };
  return {
    type,
    table,
    key,
    value: contentOf(rest, round, index, part),
    ...(ifVersion !== undefined && { ifVersion }),
  };
}

/** Closing does not wait for a merge. */
function exceptStopped(kind) {
  return (error) => {
    if (kind !== 'compact' || error.code !== 'ERR_CAIRN_CLOSED') throw error;
  };
}

async function write(writer) {
  const db = new CairnDB({ databaseDirectory: directory, durability: defaultLevel, ...options });
  await start(db);
  const plan = operations(seed, round, writer);
  const rng = random(seed, round, writer, 8);
  let flushed;
  for (let index = 0; ; ) {
    const end = index + 1 + rng.below(rng.pick([1, 8, 40]));
    say('i', writer, end);
    const group = [];
    for (; index < end; index += 1) {
      const operation = plan.next().value;
      const { kind } = operation;
      if (operation.items) operation.items = await withConditions(db, operation.items);
      else say('b', kind);
      // A flush waits for what was written before, and is refused if the database is closed meanwhile.
      if (kind === 'close') await flushed;
      const mine = index;
      const done = perform(db, operation, mine).then(() => say('a', writer, mine), exceptStopped(kind));
      if (kind === 'flush') flushed = done;
      group.push(done);
      if (kind === 'close') {
        await Promise.all(group);
        await start(db);
      }
    }
    await Promise.all(group);
  }
}

if (!isMainThread) await write(workerData.writer);
else if (writers === 1) await write(0);
else {
  for (let writer = 0; writer < writers; writer += 1) {
    const worker = new Worker(new URL(import.meta.url), { workerData: { round: [directory, seed, round], writer } });
    worker.on('error', (error) => {
      throw error;
    });
  }
}
