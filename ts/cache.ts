/**
 * The object cache: values as they were decoded, frozen, by reference. What is in it is what the database holds, as a
 * counter in native memory shows that every commit of whichever instance changes.
 *
 * @module
 */
import type { Operation } from './operation.ts';

type Values = Map<string, unknown>;

export class ObjectCache {
  readonly #limit: number;
  /** Counts the changes of the database. */
  readonly #changes: Int32Array;
  /** As many of them as the cache knows of. */
  #known: number;
  /** What was used since the other half filled up; and that half, by table. */
  #recent = new Map<string, Values>();
  #older = new Map<string, Values>();
  /** The table that was asked for last, and what of it was used: most reads are of the same table as the one before. */
  #table: string | undefined;
  #values: Values | undefined;
  #size = 0;

  constructor(limit: number, changes: Int32Array) {
    this.#limit = limit;
    this.#changes = changes;
    this.#known = Atomics.load(changes, 0);
  }

  /** The value under a key; undefined if it is not in the cache. */
  get(table: string, key: string): unknown {
    if (Atomics.load(this.#changes, 0) !== this.#known) this.#clear();
    if (table !== this.#table) this.#turnTo(table);
    const value = this.#values?.get(key);
    if (value !== undefined) return value;
    const older = this.#older.get(table)?.get(key);
    if (older !== undefined) this.#add(table, key, older);
    return older;
  }

  /**
   * Keeps a value that was just read, if it can be frozen, and returns it. The counter must not have changed since before
   * it was read: then it may be an older value than what the database holds.
   */
  keep(table: string, key: string, value: unknown, before: number): unknown {
    if (before === this.#known && isFreezable(value)) {
      freeze(value);
      this.#add(table, key, value);
    }
    return value;
  }

  /** What the counter says, to be told to {@link keep} or {@link entered}. */
  mark(): number {
    const mark = Atomics.load(this.#changes, 0);
    if (mark !== this.#known) this.#clear();
    return mark;
  }

  /** Operations were gathered: what they change has to be read again. */
  forget(operations: readonly Operation[]): void {
    for (const { table, key } of operations) {
      this.#recent.get(table)?.delete(key);
      this.#older.get(table)?.delete(key);
    }
  }

  /** A table is about to be dropped, in its turn: what it holds has to be read again, which waits for that. */
  forgetTable(table: string): void {
    this.#recent.delete(table);
    this.#older.delete(table);
    this.#table = undefined;
  }

  /**
   * A group of gathered operations was committed at once and has changed something. If the counter has moved by that alone
   * since `mark`, all else in the cache is as it was.
   */
  entered(mark: number): void {
    const now = Atomics.load(this.#changes, 0);
    if (mark === this.#known && now === ((mark + 2) | 0)) this.#known = now;
  }

  #turnTo(table: string): void {
    this.#table = table;
    this.#values = this.#recent.get(table);
  }

  #add(table: string, key: string, value: unknown): void {
    if (this.#size >= this.#limit / 2) this.#begin(this.#recent);
    let values = this.#recent.get(table);
    if (values === undefined) {
      values = new Map();
      this.#recent.set(table, values);
      this.#table = undefined;
    }
    values.set(key, value);
    this.#size += 1;
  }

  /** Lets what is in the cache go, but for `older`. */
  #begin(older: Map<string, Values>): void {
    this.#older = older;
    this.#recent = new Map();
    this.#table = undefined;
    this.#size = 0;
  }

  #clear(): void {
    this.#known = Atomics.load(this.#changes, 0);
    this.#begin(new Map());
  }
}

/** Whether a value can be frozen with all that is in it: not if it has binary data, dates, Maps or Sets. */
function isFreezable(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (!Array.isArray(value) && Object.getPrototypeOf(value) !== Object.prototype) return false;
  return Object.values(value).every(isFreezable);
}

function freeze(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  for (const member of Object.values(value)) freeze(member);
  Object.freeze(value);
}
