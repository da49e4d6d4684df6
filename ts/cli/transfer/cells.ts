/**
 * Values as cells of CSV, and back.
 *
 * @module
 */
import { describe, isOptionsObject } from '../../validate.ts';
import type { Cell } from './csv.ts';
import { decode, encode, NotDecodable } from './jsonl.ts';

/** A value that no cell can have. The message says why. */
export class NotWritable extends Error {}

/** What the cells of a column become. `string` is what they are. */
export type ColumnType = 'string' | 'auto' | 'number' | 'boolean' | 'json' | 'date' | 'bigint';

export const COLUMN_TYPES: readonly ColumnType[] = ['string', 'auto', 'number', 'boolean', 'json', 'date', 'bigint'];

/**
 * A value as a cell: texts, numbers, times and the like as people write them, all else as JSON. Text is in quotes where it
 * would be taken for something else without them, so that `auto` gives it back as text.
 */
export function cellOf(value: unknown, delimiter: string): string {
  if (value === undefined) return '';
  if (typeof value === 'string') return value === '' || looksTyped(value) ? quoted(value) : inQuotes(value, delimiter);
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value);
  if (typeof value === 'bigint' || typeof value === 'boolean' || value === null) return String(value);
  if (value instanceof Date && !Number.isNaN(value.getTime())) return value.toISOString();
  return inQuotes(JSON.stringify(encode(value)), delimiter);
}

/**
 * Text as a cell, in quotes where that is needed.
 *
 * @throws NotWritable
 */
export function inQuotes(text: string, delimiter: string): string {
  if (!text.isWellFormed())
    throw new NotWritable('contains half of a surrogate pair, which a file of text cannot have');
  const needsQuotes = /["\r\n]|^\s|\s$/.test(text) || text.includes(delimiter);
  return needsQuotes ? quoted(text) : text;
}

/**
 * A cell as a value; `undefined` for one that is empty and not in quotes, which is none.
 *
 * @throws NotDecodable
 */
export function valueOfCell({ text, quoted }: Cell, type: ColumnType): unknown {
  if (text === '' && !quoted) return undefined;
  switch (type) {
    case 'string':
      return text;
    case 'auto':
      return autoOf(text, quoted);
    case 'number':
      return text.trim() !== '' && !Number.isNaN(Number(text)) ? Number(text) : refuse(text, 'a number');
    case 'boolean':
      return text === 'true' || text === 'false' ? text === 'true' : refuse(text, 'true or false');
    case 'date':
      return decode({ $Date: text });
    case 'bigint':
      return decode({ $BigInt: text });
    case 'json':
      return decode(parsed(text));
  }
}

function quoted(text: string): string {
  return `"${text.replaceAll('"', '""')}"`;
}

/** What stands in a cell, if it looks the same when it is written again; else the text. */
function autoOf(text: string, isQuoted: boolean): unknown {
  if (/^[[{]/.test(text)) return containerOf(text) ?? text;
  if (isQuoted || !looksTyped(text)) return text;
  return text === '-0' ? -0 : JSON.parse(text);
}

/** Whether it is a number, true, false or null, just as JavaScript writes it. */
function looksTyped(text: string): boolean {
  if (text === 'true' || text === 'false' || text === 'null' || text === '-0') return true;
  return /^-?\d/.test(text) && String(Number(text)) === text;
}

function containerOf(text: string): unknown {
  const json = jsonOf(text);
  if (json === undefined || JSON.stringify(json) !== text) return undefined;
  try {
    return decode(json);
  } catch {
    // It only looks like one of ours: then it is text.
    return undefined;
  }
}

/** What JSON text says; `undefined` if it is none. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The same for text that has to be JSON. */
function parsed(text: string): unknown {
  const json = jsonOf(text);
  return json === undefined ? refuse(text, 'JSON') : json;
}

/** Whether the members of a value can be columns. */
export function hasColumns(value: unknown): value is Record<string, unknown> {
  if (!isOptionsObject(value)) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function refuse(text: string, wanted: string): never {
  throw new NotDecodable(`${describe(text)} is not ${wanted}`);
}
