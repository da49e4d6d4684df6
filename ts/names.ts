/**
 * Names of other stores, which may be any text, as names of tables, keys and directories, which may not.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { MAX_KEY_BYTES, MAX_TABLE_LENGTH, RESERVED } from './validate.ts';

/** What no key has, and the escape itself. Without the flag `u`, halves of surrogate pairs are matched too. */
const NOT_IN_KEYS = /[%\0]|[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g;
/** What no name of a table has besides: separators, a dot in front, and the second of two dots. */
const NOT_IN_TABLES = /[/\\]|^\.|(?<=\.)\./g;

/** The name of the empty text, which no escaped one is. */
const EMPTY = '%';
/** What the names of texts that are too long begin with, and no escaped text contains. */
const LONG = '%#';

/**
 * A key for `text`: itself, if it can be one. Different texts have different keys. Of one that is too long it is the
 * SHA-256, and then the text is not in the key.
 */
export function keyOf(text: string): string {
  const key = text.replace(NOT_IN_KEYS, escaped) || EMPTY;
  return Buffer.byteLength(key) > MAX_KEY_BYTES ? digest(text) : key;
}

/** The text that a key is of, or `undefined` where it was too long. */
export function textOf(key: string): string | undefined {
  if (key === EMPTY) return '';
  if (key.startsWith(LONG)) return undefined;
  return key.replaceAll(/%(.{4})/g, (_, digits) => String.fromCharCode(Number.parseInt(digits, 16)));
}

/** A name for `text` that can be that of a table, or of a file: itself, if it can be one. As with {@link keyOf}. */
export function tableOf(text: string): string {
  const table = text.replace(NOT_IN_KEYS, escaped).replace(NOT_IN_TABLES, escaped).replace(RESERVED, escapeFirst);
  return table.length > MAX_TABLE_LENGTH ? digest(text) : table;
}

/** A unit as `%` and four digits. */
function escaped(unit: string): string {
  return `%${unit.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`;
}

function escapeFirst(name: string): string {
  return escaped(name) + name.slice(1);
}

/** UTF-16, since UTF-8 makes all halves of surrogate pairs one character. */
function digest(text: string): string {
  return `${LONG}${createHash('sha256').update(text, 'utf16le').digest('hex')}`;
}
