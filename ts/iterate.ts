/**
 * Ranges, and iteration over them by pages.
 *
 * @module
 */
import { setImmediate } from 'node:timers/promises';
import { CairnError, fromNative } from './errors.ts';
import type { NativeCursor, RawRange, RawValue } from './native.ts';
import { checkNames, describe, isOptionsObject, isWellFormed } from './validate.ts';

/**
 * Which keys, in which direction. Keys are ordered by their UTF-8 bytes, which is the order of their code points.
 *
 * @example
 * ```ts
 * for await (const [key, user] of db.entries('users', { prefix: 'eu/', limit: 10 })) console.log(key, user);
 * ```
 */
export interface RangeOptions {
  /** Keys from this one on. */
  readonly gte?: string | undefined;
  /** Keys after this one. */
  readonly gt?: string | undefined;
  /** Keys up to this one. */
  readonly lte?: string | undefined;
  /** Keys before this one. */
  readonly lt?: string | undefined;
  /** Keys that begin like this. */
  readonly prefix?: string | undefined;
  /** From the last key to the first. Default false. */
  readonly reverse?: boolean | undefined;
  /** At most so many entries. Default: all. */
  readonly limit?: number | undefined;
}

const BOUNDS = ['gte', 'gt', 'lte', 'lt', 'prefix'] as const;
const NAMES = [...BOUNDS, 'reverse', 'limit'];
const FIRST_PAGE = 16;
const LARGEST_PAGE = 256;

/** Checks a range, and translates it for native code. */
export function rawRange(range: unknown, values: boolean): RawRange {
  if (range === undefined) return { values };
  if (!isOptionsObject(range)) throw invalid(`The range is ${describe(range)}; give an object.`);
  checkNames(range, NAMES, 'ERR_CAIRN_INVALID_RANGE', 'member of a range');
  const { reverse, limit } = range;
  if (reverse !== undefined && typeof reverse !== 'boolean') {
    throw invalid(`reverse is ${describe(reverse)}; give true or false.`);
  }
  if (limit !== undefined && !(Number.isSafeInteger(limit) && (limit as number) >= 0)) {
    throw invalid(`limit is ${describe(limit)}; give a whole number, or leave it out for all.`);
  }
  if (range.gte !== undefined && range.gt !== undefined) throw invalid('Both gte and gt are given; give one of them.');
  if (range.lte !== undefined && range.lt !== undefined) throw invalid('Both lte and lt are given; give one of them.');
  for (const name of BOUNDS) checkBound(name, range[name]);
  const given = Object.entries(range).filter(([, value]) => value !== undefined);
  return { ...Object.fromEntries(given), values };
}

function checkBound(name: string, bound: unknown): void {
  if (bound === undefined) return;
  if (typeof bound !== 'string') throw invalid(`${name} is ${describe(bound)}; give a string.`);
  if (!isWellFormed(bound)) throw invalid(`${name} contains half of a surrogate pair, which no key does.`);
}

/**
 * The pages of a cursor. The snapshot is taken when the first page is asked for. Between pages the event loop gets its
 * turn, so that a long scan holds up nobody; the first page is small, for those who leave after a few entries.
 */
export async function* pages(open: () => NativeCursor): AsyncGenerator<(string | RawValue)[], void, void> {
  const cursor = open();
  try {
    let page = next(cursor, FIRST_PAGE);
    for (let size = FIRST_PAGE * 4; page.length > 0; size *= 4) {
      yield page;
      page = next(cursor, Math.min(size, LARGEST_PAGE));
      if (page.length > 0) await setImmediate();
    }
  } finally {
    cursor.close();
  }
}

function next(cursor: NativeCursor, max: number): (string | RawValue)[] {
  try {
    return cursor.next(max);
  } catch (error) {
    throw fromNative(error);
  }
}

function invalid(message: string): CairnError {
  return new CairnError('ERR_CAIRN_INVALID_RANGE', message);
}
