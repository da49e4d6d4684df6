/**
 * The store of worsen, on a database of CairnDB.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { CairnError } from '../errors.ts';
import { tableOf } from '../names.ts';
import { resolveDirectory } from '../options.ts';
import { HOME, type Removal, removeOriginals, type TakeoverReport } from '../takeover.ts';
import { describe, isOptionsObject } from '../validate.ts';
import { filesOf, LOCK_FILE } from './originals.ts';
import { Records } from './records.ts';

/** The second argument of `new PersistentStore()`. */
export interface PersistentStoreOptions {
  /** Kept, and without effect: nothing is printed. Default: whether `DEBUG_PERSISTENCE` is `true` in the environment. */
  readonly is_debug?: boolean | undefined;
  /** The directory of the stores. Default `db_dir` in the working directory. */
  readonly db_dir?: string | undefined;
}

/** What `write()` takes. */
export interface PersistentRecord<T> {
  /** What it is stored under. Default: 32 random hexadecimal digits. */
  readonly uid?: string | undefined;
  /** What is stored; `undefined` deletes the record. */
  readonly data: T | undefined;
  /** Kept, and without effect: every write is stored. */
  readonly persist?: boolean | undefined;
}

/**
 * A store of values by uid.
 *
 * Its data is in `.cairndb/<name>` in `db_dir`. What worsen left there under this name is taken over when the store is
 * used for the first time, and only read. A store opens when it is first used; `init()` does nothing else but to fill it.
 *
 * Synchronous methods throw, and `write()` rejects with, a {@link CairnError}.
 *
 * @example
 * ```ts
 * const store = new PersistentStore<{ amount: number }>('orders', { db_dir: './db' });
 * store.init();
 * await store.write({ uid: 'order-42', data: { amount: 100 } });
 * store.read('order-42'); // { amount: 100 }
 * ```
 */
// biome-ignore lint/suspicious/noExplicitAny: what is read is whatever was written, and only the caller knows its type.
export class PersistentStore<T = any> {
  readonly is_debug: boolean;
  /** The file of worsen that is taken over; nothing is written to it. */
  readonly db_location: string;
  /** Its backup, which is taken over if the file is damaged or missing. */
  readonly cache_db_location: string;
  /** The lock of worsen. None is made, and one that is there is not waited for. */
  readonly lockfile_location: string;
  /** The first argument of `init()`. Nothing is polled: `read()` sees every write at once. */
  polling_interval = 10_000;
  /** After `init()`: a timer that has ended, for programs that clear it. */
  interval: NodeJS.Timeout | undefined;
  readonly #name: string;
  readonly #directory: string;
  #records: Records | undefined;
  #closed = false;
  #executing = 0;

  /**
   * Touches no disk.
   *
   * @throws {@link CairnError} `ERR_CAIRN_INVALID_OPTIONS`
   */
  constructor(name = 'worsen', { is_debug, db_dir = 'db_dir' }: PersistentStoreOptions = {}) {
    if (typeof name !== 'string' || name === '' || /[/\\\0]/.test(name)) {
      throw invalid(`The name of the store is ${describe(name)}; give one that a file can have.`);
    }
    const [file, backup] = filesOf(name);
    this.#name = name;
    this.#directory = resolveDirectory('db_dir', db_dir);
    this.is_debug = is_debug ?? process.env.DEBUG_PERSISTENCE === 'true';
    this.db_location = join(this.#directory, file);
    this.cache_db_location = join(this.#directory, backup);
    this.lockfile_location = join(this.#directory, LOCK_FILE);
  }

  /**
   * Opens the store, and writes those of `init_data` whose uid is not there. All is done when it returns.
   *
   * @param polling_interval - kept as the member of this name, and without effect
   * @throws {@link CairnError} `ERR_CAIRN_LOCKED` if a process with worsen holds the lock of what is to be taken over;
   * `ERR_CAIRN_CORRUPT` if its file and its backup are damaged, or the database is; `ERR_CAIRN_INVALID_VALUE`
   */
  init(polling_interval = 10_000, init_data: readonly { readonly uid: string; readonly data: T }[] = []): void {
    if (!Array.isArray(init_data)) throw invalid(`init_data is ${describe(init_data)}; give a list of { uid, data }.`);
    for (const { uid } of init_data) checkUid(uid);
    this.#closed = false;
    this.#open().fill(init_data);
    this.polling_interval = polling_interval;
    this.interval = ended();
  }

  /** The value under `uid`, or `undefined` if there is none. It is a copy. */
  read(uid: string): T | undefined {
    checkUid(uid);
    return this.#open().get(uid) as T | undefined;
  }

  /**
   * Stores `data` under `uid`. Resolves once the operating system has it, so that the death of the process takes nothing.
   * What can be stored is said at {@link CairnDB.write}.
   *
   * @param num - taken, and without effect: there is nothing to try again
   */
  async write(record: PersistentRecord<T>, num?: number): Promise<void>;
  /** The same, as the README of worsen shows it. */
  async write(uid: string, data: T | undefined): Promise<void>;
  async write(record: PersistentRecord<T> | string, second?: unknown): Promise<void> {
    const { uid = randomBytes(16).toString('hex'), data } = recordOf(record, second);
    checkUid(uid);
    const records = this.#open();
    this.#executing += 1;
    try {
      await records.write({ uid, data });
    } finally {
      this.#executing -= 1;
    }
  }

  /** All there is, as a copy. The records are in the order of their uids, but integers come first, as in every object. */
  get_hashmap_state(): { app_state: object; data: Record<string, T> } {
    const records = this.#open();
    const data: Record<string, T> = {};
    for (const { uid, data: value } of records.entries()) {
      // An assignment to `__proto__` would be none.
      Object.defineProperty(data, uid, { value, enumerable: true, configurable: true, writable: true });
    }
    return { app_state: records.appState, data };
  }

  /** Whether a write may begin now: always. */
  can_execute(): boolean {
    return true;
  }

  /** Whether a `write()` of this store has not ended. */
  get is_executing(): boolean {
    return this.#executing > 0;
  }

  /** Waits for what was written, and gives the directory free. Then the store is closed, until `init()`. */
  async close(): Promise<void> {
    const records = this.#records;
    this.#records = undefined;
    this.#closed = true;
    await records?.close();
  }

  /** The same as {@link close}, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** What was taken over from worsen, and what was not, with the reason; `undefined` if there was nothing. */
  takeover(): TakeoverReport | undefined {
    return this.#open().takeover;
  }

  /** Deletes the files of worsen that were taken over, and have not changed since. Returns what was removed, and what not. */
  removeOriginals(): Removal {
    const report = this.takeover();
    return report === undefined ? { removed: [], kept: [] } : removeOriginals(this.#directory, report);
  }

  #open(): Records {
    if (this.#closed) throw new CairnError('ERR_CAIRN_CLOSED', 'The store is closed. Call init() to open it again.');
    this.#records ??= new Records(join(this.#directory, HOME, tableOf(this.#name)), this.#directory, this.#name);
    return this.#records;
  }
}

function recordOf<T>(record: PersistentRecord<T> | string, second: unknown): PersistentRecord<T> {
  if (typeof record === 'string') return { uid: record, data: second as T | undefined };
  if (isOptionsObject(record)) return record;
  throw invalid(`write() takes { uid, data }, not ${describe(record)}.`);
}

function checkUid(uid: unknown): asserts uid is string {
  if (typeof uid === 'string') return;
  throw new CairnError('ERR_CAIRN_INVALID_KEY', `The uid is ${describe(uid)}; give a string.`);
}

function ended(): NodeJS.Timeout {
  const timer = setInterval(() => undefined, 2 ** 31 - 1);
  clearInterval(timer);
  return timer;
}

function invalid(message: string): CairnError {
  return new CairnError('ERR_CAIRN_INVALID_OPTIONS', message);
}
