/**
 * What a table name, a key, an expiration and an options object may be. Everything is refused here, with a message that
 * says what to do, before anything is queued.
 *
 * @module
 */
import { CairnError, type ErrorCode } from './errors.ts';

/** Longest table name, in UTF-16 code units. */
export const MAX_TABLE_LENGTH = 255;
/** Longest key, in bytes of UTF-8. */
export const MAX_KEY_BYTES = 1024;

/** Names that Windows reserves. */
export const RESERVED = /^(?:con|prn|aux|nul|com[1-9]|lpt[1-9])(?:\.|$)/i;

/** Whether UTF-8 can hold `text`: it has no form for half of a surrogate pair, and different strings would become the same. */
export function isWellFormed(text: string): boolean {
  return text.isWellFormed();
}

/** The table that was found to be good last: mostly the next one is the same. */
let lastTable = '';

/** A short name of `value` for a message. */
export function describe(value: unknown): string {
  if (typeof value === 'string')
    return value.length > 60 ? `${JSON.stringify(value.slice(0, 60))}…` : JSON.stringify(value);
  if (value === null || value === undefined || typeof value === 'number' || typeof value === 'boolean')
    return `${value}`;
  if (typeof value === 'bigint') return `${value}n`;
  if (Array.isArray(value)) return 'an array';
  if (value instanceof Date) return 'a Date';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/** Whether `value` is an object that can carry named options. */
export function isOptionsObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

export function checkTable(table: unknown): asserts table is string {
  const refuse = (problem: string): never => {
    throw new CairnError('ERR_CAIRN_INVALID_TABLE', `Table name ${describe(table)} ${problem}.`);
  };
  if (typeof table !== 'string') return refuse('is not a string');
  if (table === lastTable && table !== '') return;
  if (table === '') return refuse('is empty; give the table a name');
  if (table.length > MAX_TABLE_LENGTH) {
    return refuse(`has ${table.length} characters; the most is ${MAX_TABLE_LENGTH}`);
  }
  if (/[/\\]/.test(table)) return refuse('contains a path separator ("/" or "\\")');
  if (table.includes('..')) return refuse('contains ".."');
  if (table.startsWith('.')) return refuse('starts with "."');
  if (table.includes('\0')) return refuse('contains a NUL character');
  if (RESERVED.test(table)) return refuse('is reserved on Windows; choose another one');
  if (!isWellFormed(table)) return refuse('contains half of a surrogate pair, which UTF-8 cannot hold');
  lastTable = table;
}

export function checkKey(key: unknown): asserts key is string {
  if (!isPlainKey(key)) checkOtherKey(key);
}

/** Whether a key is of ASCII and short: almost every one is, and then this is all that has to be asked. */
function isPlainKey(key: unknown): key is string {
  if (typeof key !== 'string' || key.length === 0 || key.length > MAX_KEY_BYTES) return false;
  for (let index = 0; index < key.length; index += 1) {
    const unit = key.charCodeAt(index);
    if (unit === 0 || unit >= 0x80) return false;
  }
  return true;
}

function checkOtherKey(key: unknown): void {
  const refusal = (problem: string) => new CairnError('ERR_CAIRN_INVALID_KEY', `Key ${describe(key)} ${problem}.`);
  if (typeof key !== 'string') throw refusal('is not a string');
  if (key === '') throw refusal('is empty; a key has at least one character');
  // No UTF-16 unit takes more than three bytes, so short keys need no count.
  if (key.length * 3 > MAX_KEY_BYTES && Buffer.byteLength(key) > MAX_KEY_BYTES) {
    throw refusal(`has ${Buffer.byteLength(key)} bytes of UTF-8; the most is ${MAX_KEY_BYTES}`);
  }
  if (key.includes('\0')) throw refusal('contains a NUL character');
  if (!isWellFormed(key)) throw refusal('contains half of a surrogate pair, which UTF-8 cannot hold');
}

export function checkKeys(keys: unknown): asserts keys is string[] {
  if (!Array.isArray(keys)) {
    throw new CairnError('ERR_CAIRN_INVALID_KEY', `getMany() takes an array of keys, not ${describe(keys)}.`);
  }
  // By index, because a method like forEach would pass over the holes of a sparse array.
  for (let index = 0; index < keys.length; index += 1) checkKey(keys[index]);
}

/** Refuses names that `known` does not have, with the nearest one that it has. */
export function checkNames(object: object, known: readonly string[], code: ErrorCode, what: string): void {
  for (const name of Object.keys(object)) {
    if (known.includes(name)) continue;
    const nearest = nearestOf(name, known);
    const advice = nearest === undefined ? `Known: ${known.join(', ')}.` : `Did you mean "${nearest}"?`;
    throw new CairnError(code, `Unknown ${what} ${describe(name)}. ${advice}`);
  }
}

/** The known name that a typing error most likely stands for. */
function nearestOf(name: string, known: readonly string[]): string | undefined {
  const distances = known.map((candidate) => editDistance(name.toLowerCase(), candidate.toLowerCase()));
  const least = Math.min(...distances);
  return least <= Math.max(2, name.length / 3) ? known[distances.indexOf(least)] : undefined;
}

/** The number of characters to insert, delete or replace (Levenshtein). */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (const [index, character] of [...from].entries()) {
    const next = [index + 1];
    for (let column = 1; column <= to.length; column += 1) {
      const replaced = (row[column - 1] as number) + (to[column - 1] === character ? 0 : 1);
      next.push(Math.min(replaced, (row[column] as number) + 1, (next[column - 1] as number) + 1));
    }
    row = next;
  }
  return row[to.length] as number;
}
