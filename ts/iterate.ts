/**
 * Ranges, and iteration over them by pages.
 *
 * @module
 */
import { setImmediate } from 'node:timers/promises';
import { CairnError, translated } from './errors.ts';
import { type FirstPage, type NativeHandle, type RawPage, SCAN_AFTER, SCAN_BEFORE, SCAN_REVERSE } from './native.ts';
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

const NAMES = ['gte', 'gt', 'lte', 'lt', 'prefix', 'reverse', 'limit'];
const FIRST_PAGE = 16;
const SECOND_PAGE = 64;
const LARGEST_PAGE = 256;

/** A range that was checked. */
export interface CheckedRange {
  readonly low: string | undefined;
  readonly high: string | undefined;
  readonly prefix: string | undefined;
  readonly how: number;
  readonly limit: number;
}

export const ALL_KEYS: CheckedRange = {
  low: undefined,
  high: undefined,
  prefix: undefined,
  how: 0,
  limit: Number.POSITIVE_INFINITY,
};

export function checkRange(range: unknown): CheckedRange {
  if (range === undefined) return ALL_KEYS;
  if (!isOptionsObject(range)) throw invalid(`The range is ${describe(range)}; give an object.`);
  checkNames(range, NAMES, 'ERR_CAIRN_INVALID_RANGE', 'member of a range');
  const { gte, gt, lte, lt, prefix, reverse, limit } = range;
  if (reverse !== undefined && typeof reverse !== 'boolean') {
    throw invalid(`reverse is ${describe(reverse)}; give true or false.`);
  }
  if (limit !== undefined && !(Number.isSafeInteger(limit) && (limit as number) >= 0)) {
    throw invalid(`limit is ${describe(limit)}; give a whole number, or leave it out for all.`);
  }
  if (gte !== undefined && gt !== undefined) throw invalid('Both gte and gt are given; give one of them.');
  if (lte !== undefined && lt !== undefined) throw invalid('Both lte and lt are given; give one of them.');
  const after = gt === undefined ? 0 : SCAN_AFTER;
  const before = lt === undefined ? 0 : SCAN_BEFORE;
  return {
    low: checkBound('gte', gte) ?? checkBound('gt', gt),
    high: checkBound('lte', lte) ?? checkBound('lt', lt),
    prefix: checkBound('prefix', prefix),
    how: after + before + (reverse ? SCAN_REVERSE : 0),
    limit: (limit ?? Number.POSITIVE_INFINITY) as number,
  };
}

function checkBound(name: string, bound: unknown): string | undefined {
  if (bound === undefined) return undefined;
  if (typeof bound !== 'string') throw invalid(`${name} is ${describe(bound)}; give a string.`);
  if (!isWellFormed(bound)) throw invalid(`${name} contains half of a surrogate pair, which no key does.`);
  return bound;
}

/** The first entries of a range, at most `max`, with `contents` beside their keys. */
export function firstPage(
  handle: NativeHandle,
  table: string,
  range: CheckedRange,
  contents: number,
  max = usualFirst(range.limit),
): FirstPage {
  const { low, high, prefix, how, limit } = range;
  return handle.scan(table, low, high, prefix, how + contents, limit, max);
}

/** Who names a limit is expected to go up to it; others may leave after a few entries. */
function usualFirst(limit: number): number {
  return Number.isFinite(limit) ? Math.min(limit, LARGEST_PAGE) : FIRST_PAGE;
}

type Decode<T> = (page: RawPage) => T[];

/** The entries of a cursor one by one, as an async generator gives them, but without its cost for each of them. */
export class Rows<T> implements AsyncGenerator<T, void, void> {
  readonly #pages: AsyncGenerator<T[], void, void>;
  #page: readonly T[] = [];
  #at = 0;
  /** The last of the steps that wait for a page; who asks meanwhile comes after it. */
  #waiting: Promise<unknown> | undefined;

  constructor(open: () => FirstPage, decode: Decode<T>) {
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

/** The entries of a range, one by one, without a turn of the event loop in between. */
export function* rowsNow<T>(
  open: () => FirstPage,
  decode: Decode<T>,
  largest = LARGEST_PAGE,
): Generator<T, void, void> {
  for (const page of pagesNow(open, decode, largest)) for (const row of page) yield row;
}

/** The pages of a range. Between them the event loop gets its turn, so that a long scan holds up nobody. */
async function* pages<T>(open: () => FirstPage, decode: Decode<T>): AsyncGenerator<T[], void, void> {
  let isFirst = true;
  for (const page of pagesNow(open, decode, LARGEST_PAGE)) {
    if (!isFirst) await setImmediate();
    isFirst = false;
    yield page;
  }
}

/** The pages of a range, as `decode` makes them. The snapshot is taken when the first page is asked for. */
function* pagesNow<T>(open: () => FirstPage, decode: Decode<T>, largest: number): Generator<T[], void, void> {
  const first = translated(open);
  const { rest } = first;
  try {
    let page = translated(() => decode(first));
    for (let size = SECOND_PAGE; page.length > 0; size = 4 * size) {
      yield page;
      if (rest === undefined) return;
      page = translated(() => decode(rest.next(Math.min(size, largest))));
    }
  } finally {
    rest?.close();
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
