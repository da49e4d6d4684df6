/**
 * Ranges, and iteration over them by pages.
 *
 * @module
 */
import { setImmediate } from 'node:timers/promises';
import { CairnError, fromNative } from './errors.ts';
import type { NativeCursor, RawPage, RawRange } from './native.ts';
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

type Decode<T> = (page: RawPage) => T[];

/** The entries of a cursor one by one, as an async generator gives them, but without its cost for each of them. */
export class Rows<T> implements AsyncGenerator<T, void, void> {
  readonly #pages: AsyncGenerator<T[], void, void>;
  #page: readonly T[] = [];
  #at = 0;
  /** The last of the steps that wait for a page; who asks meanwhile comes after it. */
  #waiting: Promise<unknown> | undefined;

  constructor(open: () => NativeCursor, decode: Decode<T>) {
    this.#pages = pages(open, decode);
  }

  next(): Promise<IteratorResult<T, void>> {
    if (this.#waiting === undefined && this.#at < this.#page.length) return Promise.resolve(this.#take());
    return this.#inTurn(async () => {
      if (this.#at === this.#page.length) {
        const { value, done } = await this.#pages.next();
        if (done) return { value: undefined, done };
        this.#page = value;
        this.#at = 0;
      }
      return this.#take();
    });
  }

  return(): Promise<IteratorResult<T, void>> {
    return this.#inTurn(async () => {
      this.#at = this.#page.length;
      await this.#pages.return();
      return { value: undefined, done: true };
    });
  }

  async throw(error: unknown): Promise<IteratorResult<T, void>> {
    await this.return();
    throw error;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #take(): IteratorResult<T, void> {
    const value = this.#page[this.#at] as T;
    this.#at += 1;
    return { value, done: false };
  }

  #inTurn<R>(step: () => Promise<R>): Promise<R> {
    const turn = this.#waiting === undefined ? step() : this.#waiting.then(step, step);
    this.#waiting = turn;
    const ended = () => {
      if (this.#waiting === turn) this.#waiting = undefined;
    };
    turn.then(ended, ended);
    return turn;
  }
}

/** The entries of a cursor, one by one, without a turn of the event loop in between. */
export function* rowsNow<T>(open: () => NativeCursor, decode: Decode<T>): Generator<T, void, void> {
  const cursor = open();
  try {
    for (let size = FIRST_PAGE; ; size = Math.min(4 * size, LARGEST_PAGE)) {
      const page = next(cursor, size, decode);
      if (page.length === 0) return;
      for (const row of page) yield row;
    }
  } finally {
    cursor.close();
  }
}

/**
 * The pages of a cursor, as `decode` makes them. The snapshot is taken when the first page is asked for. Between pages the
 * event loop gets its turn, so that a long scan holds up nobody; the first page is small, for those who leave after a few
 * entries.
 */
async function* pages<T>(open: () => NativeCursor, decode: Decode<T>): AsyncGenerator<T[], void, void> {
  const cursor = open();
  try {
    let page = next(cursor, FIRST_PAGE, decode);
    for (let size = FIRST_PAGE * 4; page.length > 0; size *= 4) {
      yield page;
      page = next(cursor, Math.min(size, LARGEST_PAGE), decode);
      if (page.length > 0) await setImmediate();
    }
  } finally {
    cursor.close();
  }
}

function next<T>(cursor: NativeCursor, max: number, decode: Decode<T>): T[] {
  try {
    return decode(cursor.next(max));
  } catch (error) {
    throw fromNative(error);
  }
}

function invalid(message: string): CairnError {
  return new CairnError('ERR_CAIRN_INVALID_RANGE', message);
}

/** What an iteration yields. A function of its own, since each call of an async function takes room for all its variables. */
export async function all<T>(rows: AsyncIterable<T>): Promise<T[]> {
  const items = [];
  for await (const item of rows) items.push(item);
  return items;
}
