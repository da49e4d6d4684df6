/**
 * Values that are read again and again, as they came from native code: packed, so that every read makes an object of its
 * own. That they are what the database holds shows a counter in native memory, which every commit of whichever instance
 * changes; then nothing in here counts any more.
 *
 * A value is kept when its key is read twice without a change in between. So reads of keys that do not come back, and
 * reads between writes, cost no more than a look.
 *
 * @module
 */

/** Two keys whose hashes have the same lower bits displace each other. */
const PLACES = 4096;
/** The longest head, in bytes, and text, in UTF-16 units, that are kept: with those, at most 5 MB altogether. */
const MAX_HEAD = 128;
const MAX_TEXT = 1024;

/** A packed value, whose head is one of {@link RecentValues.heads}: see Unpacker. */
export interface Recent {
  readonly table: string;
  readonly key: string;
  /** At which state of the database it was read. */
  readonly state: number;
  readonly start: number;
  readonly end: number;
  readonly text: string;
  readonly dictionary: number;
}

export class RecentValues {
  readonly #changes: Int32Array;
  /** What the counter said at this state. */
  #known: number;
  /** Counts the states that were seen: between two of them something was written, or is going to be. */
  #state = 0;
  /** What was read last at each place, and at which state, in one number. */
  readonly #read = new Int32Array(PLACES);
  readonly #kept: (Recent | undefined)[] = [];
  #heads: Buffer | undefined;

  constructor(changes: Int32Array) {
    this.#changes = changes;
    this.#known = Atomics.load(changes, 0);
  }

  /** Room for the head of each place. */
  get heads(): Buffer {
    this.#heads ??= Buffer.alloc(PLACES * MAX_HEAD);
    return this.#heads;
  }

  /** The value of a key with this hash, if it is here and is what the database holds. */
  find(hash: number, table: string, key: string): Recent | undefined {
    const now = Atomics.load(this.#changes, 0);
    if (now !== this.#known) {
      this.#known = now;
      this.#state += 1;
    }
    const kept = this.#kept[hash & (PLACES - 1)];
    return kept?.state === this.#state && kept.key === key && kept.table === table ? kept : undefined;
  }

  /** Whether a key with this hash, which was not found, was read before at this state. Remembers that it was. */
  isAgain(hash: number): boolean {
    const place = hash & (PLACES - 1);
    const read = (Math.imul(hash, 31) + this.#state) | 0;
    const again = this.#read[place] === read;
    this.#read[place] = read;
    return again;
  }

  /**
   * Keeps a value that was read after {@link find}: at that state, or at a later one. A later one shows by the counter, and
   * then the value is never found. Its head is the part of `memory` from `start` to `end`.
   */
  keep(value: Omit<Recent, 'state'>, hash: number, memory: Buffer): void {
    const { table, key, start, end, text, dictionary } = value;
    if (end - start > MAX_HEAD || text.length > MAX_TEXT) return;
    if (this.#kept.length === 0) this.#kept.length = PLACES;
    const place = hash & (PLACES - 1);
    const at = place * MAX_HEAD;
    memory.copy(this.heads, at, start, end);
    // Member by member: in Node.js 20 an object that others were spread into is slow to read.
    this.#kept[place] = { table, key, state: this.#state, start: at, end: at + end - start, text, dictionary };
  }

  /** Something is about to be written, in its turn: what it changes has to be read again, which waits for that. */
  forget(): void {
    this.#state += 1;
  }
}
