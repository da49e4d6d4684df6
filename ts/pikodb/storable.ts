/**
 * What is stored for what PikoDB accepts, where CairnDB has other rules.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { types } from 'node:util';
import { MAX_KEY_BYTES } from '../validate.ts';

/** Begins every name that stands for another one. */
const MARK = '\u0001';
const DEEPEST = 1000;

/** The name that a table has in the database. PikoDB accepts names that Windows reserves, such as `con.txt`. */
export function storedTable(table: string): string {
  return table.startsWith(MARK) || /^(?:con|prn|aux|nul|com[1-9]|lpt[1-9])\./i.test(table) ? MARK + table : table;
}

/** The table that has this name in the database. */
export function tableOf(stored: string): string {
  return stored.startsWith(MARK) ? stored.slice(MARK.length) : stored;
}

/**
 * The key that a record has in the database. PikoDB counts the characters of a key and CairnDB its bytes of UTF-8, which has
 * none for half of a surrogate pair. A digest stands for a key that does not fit, and the record then has the key too.
 */
export function storedKey(key: string): string {
  const fits = !key.startsWith(MARK) && Buffer.byteLength(key) <= MAX_KEY_BYTES && key.isWellFormed();
  return fits ? key : MARK + createHash('sha256').update(Buffer.from(key, 'utf16le')).digest('hex');
}

/** What is stored under the {@link storedKey}. */
export function storedValue(key: string, stored: string, value: unknown): unknown {
  return stored === key ? value : [key, value];
}

/** The key and the value of what stands in the database. */
export function entryOf(stored: string, value: unknown): [key: string, value: unknown] {
  return stored.startsWith(MARK) ? (value as [string, unknown]) : [stored, value];
}

/**
 * A copy of a value, so that nothing that happens to the value changes what will be written. As with `JSON.stringify`, what
 * has a `toJSON` is what that returns, members that are functions or symbols are left out, and elements are null instead.
 * What CairnDB keeps beyond JSON (Date, Map, bytes) stays.
 */
export function storable(value: unknown, key = '', depth = 0): unknown {
  if (isCode(value)) return undefined;
  // What is deeper is refused when it is written, with its path.
  if (typeof value !== 'object' || value === null || depth > DEEPEST) return value;
  const copy = (item: unknown, name: unknown) => storable(item, String(name), depth + 1);
  if (types.isDate(value)) return new Date(value);
  if (Buffer.isBuffer(value)) return Buffer.from(value);
  if (types.isAnyArrayBuffer(value)) return value.slice(0);
  if (ArrayBuffer.isView(value)) return structuredClone(value);
  if (types.isMap(value)) return new Map(Array.from(value, ([name, item]) => [copy(name, ''), copy(item, '')]));
  if (types.isSet(value)) return new Set(Array.from(value, (item) => copy(item, '')));
  if ('toJSON' in value && typeof value.toJSON === 'function') return membersOf(value.toJSON(key), copy);
  return membersOf(value, copy);
}

function membersOf(value: unknown, copy: (item: unknown, name: unknown) => unknown): unknown {
  if (isCode(value)) return undefined;
  if (Array.isArray(value)) return value.map((item, index) => (isCode(item) ? null : copy(item, index)));
  if (typeof value !== 'object' || value === null || types.isDate(value)) return value;
  if (types.isBoxedPrimitive(value)) return value.valueOf();
  const members = Object.entries(value).filter(([, member]) => !isCode(member));
  return Object.fromEntries(members.map(([name, member]) => [name, copy(member, name)]));
}

function isCode(value: unknown): boolean {
  return typeof value === 'function' || typeof value === 'symbol';
}
