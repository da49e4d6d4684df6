/**
 * Records as lines of JSON, and back: one record a line, or a table without records, or a dictionary.
 *
 * @module
 */
import { describe, isOptionsObject } from '../../validate.ts';
import { decode, encode, NotDecodable } from './jsonl.ts';
import type { Change, MovingRecord } from './record.ts';

const MEMBERS = ['table', 'key', 'value', 'version', 'timestamp', 'expiration', 'dictionary'];

/** A record as a line, without its end. */
export function lineOfRecord({ table, key, value, version, timestamp, expiration, dictionary }: MovingRecord): string {
  const known = { table, key, value: encode(value), version, timestamp, expiration };
  return JSON.stringify(dictionary == null ? known : { ...known, dictionary });
}

/** A table without records as a line. */
export function lineOfTable(table: string): string {
  return JSON.stringify({ table });
}

/** A dictionary as a line, which stands before the records that need it. */
export function lineOfDictionary(
  dictionary: string,
  pairs: readonly (readonly [long: string, short: string])[],
): string {
  return JSON.stringify({ dictionary, deflate: Object.fromEntries(pairs) });
}

/**
 * What a line says. `table` is that of records that name none.
 *
 * @throws NotDecodable
 */
export function changeOfLine(line: string, table: string | undefined): Change {
  const json = parse(line);
  if (!isOptionsObject(json)) throw new NotDecodable(`the line is ${describe(json)}, not an object with key and value`);
  if (Object.hasOwn(json, 'deflate')) return dictionaryOf(json);
  checkMembers(json);
  if (!Object.hasOwn(json, 'key') && !Object.hasOwn(json, 'value'))
    return { type: 'table', table: tableOf(json, table) };
  return recordOf(json, tableOf(json, table));
}

/** What a line says that is a value by itself, whose member `column` is its key. */
export function valueOfLine(line: string, table: string, column: string): Change {
  const value = parse(line);
  if (!isOptionsObject(value)) throw new NotDecodable(`the line is ${describe(value)}, not an object`);
  const member = Object.hasOwn(value, column) ? value[column] : undefined;
  if (typeof member === 'string') return { type: 'put', table, key: member, value };
  if (Number.isSafeInteger(member)) return { type: 'put', table, key: String(member), value };
  throw new NotDecodable(`its member ${describe(column)}, which is to be the key, is ${describe(member)}`);
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    throw new NotDecodable(`it is not JSON (${(error as Error).message})`);
  }
}

function dictionaryOf({ dictionary, deflate, ...others }: Record<string, unknown>): Change {
  const isMapping = isOptionsObject(deflate) && Object.values(deflate).every((short) => typeof short === 'string');
  if (typeof dictionary === 'string' && isMapping && Object.keys(others).length === 0) {
    return { type: 'dictionary', name: dictionary, deflate: deflate as Record<string, string> };
  }
  throw new NotDecodable('a line with "deflate" has "dictionary", a name, besides, and "deflate" maps names to names');
}

function checkMembers(json: Record<string, unknown>): void {
  const unknown = Object.keys(json).find((name) => !MEMBERS.includes(name));
  if (unknown === undefined) return;
  const advice = 'a record has "table", "key" and "value"; for lines that are values by themselves name a --key';
  throw new NotDecodable(`it has a member ${describe(unknown)}, but ${advice}`);
}

function tableOf({ table = undefined }: Record<string, unknown>, otherwise: string | undefined): string {
  if (typeof table === 'string') return table;
  if (table === undefined && otherwise !== undefined) return otherwise;
  if (table === undefined) throw new NotDecodable('it names no table; add "table", or give one with --table');
  throw new NotDecodable(`its table is ${describe(table)}, not a string`);
}

function recordOf(json: Record<string, unknown>, table: string): Change {
  const { key, version, timestamp, expiration, dictionary } = json;
  if (typeof key !== 'string') throw new NotDecodable(`its key is ${describe(key)}, not a string`);
  if (!Object.hasOwn(json, 'value')) throw new NotDecodable('it has no value');
  const isCount = (count: unknown, least: number) => Number.isSafeInteger(count) && (count as number) >= least;
  if (version !== undefined && !isCount(version, 1)) throw wrong('version', version, 'a whole number from 1 on');
  if (timestamp !== undefined && !isCount(timestamp, 0)) throw wrong('timestamp', timestamp, 'milliseconds');
  if ((version === undefined) !== (timestamp === undefined)) {
    throw new NotDecodable('it has one of version and timestamp; give both, or none');
  }
  if (expiration != null && !Number.isFinite(expiration))
    throw wrong('expiration', expiration, 'milliseconds, or null');
  if (dictionary != null && typeof dictionary !== 'string') throw wrong('dictionary', dictionary, 'a name');
  const record = { table, key, value: decode(json.value), version, timestamp, expiration, dictionary };
  return { type: 'put', ...(record as MovingRecord) };
}

function wrong(name: string, content: unknown, wanted: string): NotDecodable {
  return new NotDecodable(`its ${name} is ${describe(content)}; give ${wanted}`);
}
