/**
 * The database as its users see it.
 *
 * @module
 */
import type { Dictionaries, Dictionary } from './dictionary.ts';
import { fromNative } from './errors.ts';
import type { Inside } from './import.ts';
import { all, checkRange, firstPage, type RangeOptions, Rows, rowsNow } from './iterate.ts';
import { Lifecycle } from './lifecycle.ts';
import { type FirstPage, type Level, type NativeHandle, SCAN_VALUES } from './native.ts';
import {
  type BatchOperation,
  batchOperations,
  deleteOperation,
  detach,
  type Means,
  type Operation,
  putOperation,
} from './operation.ts';
import {
  batchLevel,
  type DatabaseOptions,
  type Durability,
  optionsOfOpen,
  resolveOptions,
  type Settings,
} from './options.ts';
import { checkBatch, isConflict, outcomeOf, written } from './outcome.ts';
import { Packer } from './pack.ts';
import { type DatabaseRecord, entriesOf, keysOf, type RowsOf, valuesOf } from './reader.ts';
import { type Group, Session } from './session.ts';
import { type ExchangeOptions, termsOfArguments, termsOfExchange, type WriteOptions } from './terms.ts';
import { Upkeep } from './upkeep.ts';
import { checkKey, checkKeys, checkTable } from './validate.ts';
import { type Change, type WatchOptions, watch } from './watch.ts';

// biome-ignore lint/suspicious/noExplicitAny: what is read is whatever was written, and only the caller knows its type.
type Value = any;

/** One for all instances: packing is synchronous. */
const packer = new Packer();

/** For the drop-ins: not exported by the package. */
export let insideOf: (db: CairnDB) => Inside;

/**
 * An embedded, durable key-value database in a directory.
 *
 * Several instances, also of several worker threads, may open one directory; they see each other's writes at once, and
 * each has its own dictionaries. Another process is refused (`ERR_CAIRN_LOCKED`), unless all open it with `access: 'shared'`,
 * or it only looks at it with `access: 'readonly'`.
 *
 * Asynchronous methods report every error by rejecting, bad arguments too, and then nothing was written. Operations take
 * effect in the order of the calls, whether or not their promises are awaited, and a read sees every earlier write of
 * its instance. What is returned is a copy: changing it, or changing a value after it was written, changes nothing that
 * is stored.
 *
 * @example
 * ```ts
 * await using db = await CairnDB.open('./data');
 * await db.write('users', 'alice', { name: 'Alice', born: new Date('1990-05-01') });
 * const alice = await db.get('users', 'alice');
 * ```
 */
export class CairnDB extends Upkeep {
  readonly #settings: Settings;
  readonly #dictionaries: Dictionaries;
  readonly #lifecycle: Lifecycle;

  static {
    insideOf = (db) => ({ session: db.#lifecycle.session, means: db.#means() });
  }

  /**
   * Checks the options and touches no disk; {@link start} opens the database.
   *
   * @throws {@link CairnError} `ERR_CAIRN_INVALID_OPTIONS`, `ERR_CAIRN_INVALID_DICTIONARY`
   */
  constructor(options: DatabaseOptions) {
    const settings = resolveOptions(options);
    const lifecycle = new Lifecycle(() => Session.open(settings));
    super(lifecycle);
    this.#settings = settings;
    this.#dictionaries = settings.dictionaries;
    this.#lifecycle = lifecycle;
  }

  /** Makes an instance for `directory` and starts it. */
  static async open(directory: string, options?: Omit<DatabaseOptions, 'databaseDirectory'>): Promise<CairnDB> {
    const db = new CairnDB(optionsOfOpen(directory, options));
    await db.start();
    return db;
  }

  /**
   * Follows what any process commits to `directory` from now on, without a lock and whoever has it open. Ends with an
   * error: `signal.reason`, `ERR_CAIRN_BEHIND` if the journal was flushed and removed before it was read, which is not
   * before `reclaimDelay` has passed unless somebody compacts, `ERR_CAIRN_DIRECTORY`, `ERR_CAIRN_CORRUPT` and others of
   * reading. See {@link Change}.
   */
  static watch<T = Value>(directory: string, options?: WatchOptions): AsyncGenerator<Change<T>, void, void> {
    return watch(directory, options) as AsyncGenerator<Change<T>, void, void>;
  }

  /** The directory of this database, as an absolute path. */
  get directory(): string {
    return this.#settings.directory;
  }

  /**
   * Opens the database: makes the directory if it is missing, locks it, and recovers what an earlier process left.
   * Concurrent calls share one opening, a call on an open instance does nothing, and a closed instance opens again.
   *
   * Rejects with `ERR_CAIRN_LOCKED`, `ERR_CAIRN_DIRECTORY`, `ERR_CAIRN_CORRUPT` or `ERR_CAIRN_FORMAT`; with
   * `access: 'readonly'` also with `ERR_CAIRN_BEHIND`.
   */
  async start(): Promise<void> {
    await this.#lifecycle.start();
  }

  /**
   * Writes what has been accepted, and releases the directory once its last instance in this process is closed. Calling
   * it again does nothing. Calls that come later are rejected with `ERR_CAIRN_CLOSED`, until `start()`.
   */
  async close(): Promise<void> {
    await this.#lifecycle.close();
  }

  /** The same as {@link close}, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /**
   * Stores `value` under `key`, and makes the table if there is none. Resolves to `true` once the write has reached its
   * level of durability. A write replaces the whole record, its expiration and dictionary too.
   *
   * A **table name** is a string of 1 to 255 characters without `/`, `\`, `..` and NUL, does not begin with `.`, and is
   * none of the names that Windows reserves (`con`, `com1.txt`). Names that differ in case are different tables. A
   * **key** is a string of 1 to 1024 bytes of UTF-8, without NUL. Neither contains half of a surrogate pair.
   *
   * A **value** is anything that JSON carries, and what else is said here, of up to 512 MiB:
   *
   * - `Date` (an invalid one too), `bigint`, `Map`, `Set`, `Buffer`, typed arrays, `ArrayBuffer`, `DataView`,
   *   `undefined` inside of arrays and objects, `NaN`, `Infinity`, `-Infinity` and `-0` come back as what they were, at
   *   any depth. A subclass of one of these comes back as the class itself, a `SharedArrayBuffer` as an `ArrayBuffer`,
   *   and a view as one on memory of its own.
   * - Other objects come back as plain objects of their own enumerable members with string keys, those of classes and
   *   those without a prototype too. A member named `__proto__` is one like any other. Members under symbols are left
   *   out, a getter is read once. The keys come back in the order that JavaScript gives them.
   * - If an object has a method `toJSON`, what that returns is stored in its place, as with `JSON.stringify`. `Date` and
   *   `Buffer` are stored as themselves instead. A `bigint` is stored as itself whatever `BigInt.prototype` has.
   * - Holes of sparse arrays become `null`, wrapped primitives (`new Number(1)`) the primitive, as in JSON. Members of
   *   an array other than its elements are left out. An object that is referred to twice is stored twice.
   * - Strings and keys may contain half of a surrogate pair; it comes back.
   * - Refused with `ERR_CAIRN_INVALID_VALUE` and the path of the field (`value.items[3].price`; a `Map` counts as its
   *   list of entries): functions, symbols, cycles, more than 1000 levels of nesting, a `Float16Array`, and `undefined`
   *   as the whole value.
   *
   * @param expirationTimestamp - milliseconds since the epoch; the record is missing once this has passed. A negative
   * one has passed already. 0 or absent: never.
   * @param dictionaryName - the dictionary that shortens the keys of the value
   */
  write(
    table: string,
    key: string,
    value: unknown,
    expirationTimestamp?: number,
    dictionaryName?: string,
  ): Promise<boolean>;
  /**
   * Stores `value` under `key`, on terms.
   *
   * @example
   * ```ts
   * await db.write('sessions', id, session, { ttl: 30 * 60_000 });
   * await db.write('users', 'alice', alice, { ifVersion: 0 }); // only if there is no alice yet
   * ```
   */
  write(table: string, key: string, value: unknown, options?: WriteOptions): Promise<boolean>;
  write(
    table: string,
    key: string,
    value: unknown,
    expirationOrOptions?: number | WriteOptions,
    dictionaryName?: string,
  ): Promise<boolean> {
    try {
      const terms = termsOfArguments(expirationOrOptions, dictionaryName);
      const mark = packer.at;
      const operation = putOperation(table, key, value, terms, this.#means());
      const group = this.#submit([operation], terms.level, mark);
      // A write without a condition becomes what its group becomes. A promise for each would cost more than the write.
      return operation.ifVersion === undefined ? group.written : written(group, group.size - 1, operation);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Stores `value` under `key` as {@link write} does, and resolves to the value that it replaced; `undefined` if there was
   * none, or it had expired.
   *
   * That is the value directly before this one, also while others write the key: each of concurrent calls gets the value
   * of another. When another thread was faster it is done again, and can then come after later calls of this instance. A
   * record that another thread, in just that moment, deletes and writes anew as often as it had been written before, is
   * taken for the one that was read.
   *
   * A value that cannot be read (`ERR_CAIRN_CORRUPT`, `ERR_CAIRN_UNSUPPORTED`) is not written over.
   *
   * @example
   * ```ts
   * const before = await db.getAndSet('settings', 'theme', 'dark');
   * ```
   */
  async getAndSet<T = Value>(
    table: string,
    key: string,
    value: unknown,
    options?: ExchangeOptions,
  ): Promise<T | undefined> {
    const terms = termsOfExchange(options);
    const mark = packer.at;
    const operation = this.#releasingOnError(mark, () =>
      detach(putOperation(table, key, value, terms, this.#means()), packer),
    );
    packer.release(mark);
    for (;;) {
      const before = this.#record<T>(table, key);
      const group = this.#submit([{ ...operation, ifVersion: before?.version ?? 0 }], terms.level, packer.at);
      const index = group.size - 1;
      // At once, so that no other instance of this thread comes between the read and the write.
      this.#lifecycle.session.enter();
      await group.done;
      if (!isConflict(group, index)) return before?.value;
    }
  }

  /** Deletes a record. Resolves to whether there was one that had not expired. */
  async delete(table: string, key: string): Promise<boolean> {
    const operation = deleteOperation(table, key);
    const group = this.#submit([operation], undefined, packer.at);
    const index = group.size - 1;
    await group.done;
    return outcomeOf(group, index, operation) < 0;
  }

  /**
   * Does all of the operations or none of them, in their order, in any tables. Resolves to `true`. Each `ifVersion` is
   * about the record as it is before the batch; if one does not match, the batch rejects with `ERR_CAIRN_CONFLICT`, and
   * nothing was done.
   *
   * @example
   * ```ts
   * await db.batch([
   *   { type: 'put', table: 'accounts', key: 'a', value: 70, ifVersion: 4 },
   *   { type: 'put', table: 'accounts', key: 'b', value: 30, ifVersion: 9 },
   *   { type: 'del', table: 'pending', key: 'transfer-1' },
   * ]);
   * ```
   */
  async batch(operations: readonly BatchOperation[], options?: { readonly durability?: Durability }): Promise<boolean> {
    const level = batchLevel(options);
    const mark = packer.at;
    const checked = this.#releasingOnError(mark, () => batchOperations(operations, this.#means()));
    if (checked.length === 0) return this.#read(() => true);
    const group = this.#submit(checked, level, mark);
    const first = group.size - checked.length;
    await group.done;
    checkBatch(group, first, checked);
    return true;
  }

  /** All records of a table that have not expired, as `[key, value]` in the order of the keys; `[]` for no such table. */
  async get<T = Value>(table: string): Promise<[key: string, value: T][]>;
  /** The value under `key`, or `undefined` if there is none or it has expired. */
  async get<T = Value>(table: string, key: string): Promise<T | undefined>;
  async get(table: string, key?: string): Promise<unknown> {
    return key !== undefined ? this.getSync(table, key) : all(this.entries(table));
  }

  /** What `get(table, key)` resolves to, now. It does not wait for the disk, but may have to read from it. */
  getSync<T = Value>(table: string, key: string): T | undefined {
    try {
      const { session } = this.#lifecycle;
      return session.reader.get(session.handle, table, key) as T | undefined;
    } catch (error) {
      throw fromNative(error);
    }
  }

  /** The values under `keys`, in their order, all from one moment; `undefined` where there is none. */
  async getMany<T = Value>(table: string, keys: readonly string[]): Promise<(T | undefined)[]> {
    checkTable(table);
    checkKeys(keys);
    return this.#read((handle) => this.#lifecycle.session.reader.getMany(handle, table, keys) as (T | undefined)[]);
  }

  /** The value under `key` with its version, times and dictionary, or `undefined`. */
  async getRecord<T = Value>(table: string, key: string): Promise<DatabaseRecord<T> | undefined> {
    checkTable(table);
    checkKey(key);
    return this.#record(table, key);
  }

  /** Whether there is a record under `key` that has not expired. */
  async has(table: string, key: string): Promise<boolean> {
    checkTable(table);
    checkKey(key);
    return this.#read((handle) => handle.has(table, key));
  }

  /**
   * Iterates over the records of a range, as `[key, value]` in the order of the keys. Works on a snapshot, taken when
   * the first entry is asked for: writes that come later do not disturb it.
   */
  entries<T = Value>(table: string, range?: RangeOptions): AsyncGenerator<[key: string, value: T], void, void> {
    return this.#rows(table, range, entriesOf<T>);
  }

  /** Iterates over the keys of a range, in order, on a snapshot. Reads no values. */
  keys(table: string, range?: RangeOptions): AsyncGenerator<string, void, void> {
    return this.#rows(table, range, keysOf);
  }

  /** Iterates over the values of a range, in the order of their keys, on a snapshot. */
  values<T = Value>(table: string, range?: RangeOptions): AsyncGenerator<T, void, void> {
    return this.#rows(table, range, valuesOf<T>);
  }

  /** As {@link entries}, for a `for` loop that waits for nothing: nothing else of this thread runs until it is left. */
  entriesSync<T = Value>(table: string, range?: RangeOptions): Generator<[key: string, value: T], void, void> {
    return this.#rowsNow(table, range, entriesOf<T>);
  }

  /** As {@link keys}, for a `for` loop that waits for nothing. */
  keysSync(table: string, range?: RangeOptions): Generator<string, void, void> {
    return this.#rowsNow(table, range, keysOf);
  }

  /** As {@link values}, for a `for` loop that waits for nothing. */
  valuesSync<T = Value>(table: string, range?: RangeOptions): Generator<T, void, void> {
    return this.#rowsNow(table, range, valuesOf<T>);
  }

  /** The number of records of a table that have not expired; 0 for no such table. */
  async getTableSize(table: string): Promise<number> {
    checkTable(table);
    return this.#read((handle) => handle.tableSize(table));
  }

  /** The names of the tables. */
  listTables(): string[] {
    return this.#read((handle) => handle.listTables());
  }

  /** Deletes a table with all its records. Resolves to `true`, also if there was none. */
  async deleteTable(table: string): Promise<boolean> {
    checkTable(table);
    await this.#call(() => this.#lifecycle.session.dropTable(table));
    return true;
  }

  /** Removes the expired records of a table. Resolves to their number. Reads never return them, removed or not. */
  async cleanupExpired(table: string): Promise<number> {
    checkTable(table);
    return this.#call((handle) => handle.cleanupExpired(table));
  }

  /** Removes the expired records of all tables. Resolves to their number. */
  async cleanupAllExpired(): Promise<number> {
    return this.#call(async (handle) => {
      const counts = await Promise.all(handle.listTables().map((table) => handle.cleanupExpired(table)));
      return counts.reduce((sum, count) => sum + count, 0);
    });
  }

  /** Resolves once everything that was accepted is synced to disk, whatever its level. */
  async flush(): Promise<void> {
    // Both begin at once, so that a close() that follows comes after them.
    await Promise.all([this.#lifecycle.session.drain(), this.#call((handle) => handle.flush())]);
  }

  /**
   * Adds a dictionary to this instance, or replaces the one of this name. Records that were written with an earlier one
   * are read as they were written.
   *
   * @throws {@link CairnError} `ERR_CAIRN_INVALID_DICTIONARY`
   */
  addDictionary(name: string, dictionary: Dictionary): void {
    this.#dictionaries.add(name, dictionary);
  }

  /** Removes a dictionary from this instance. Returns whether there was one. Its records can still be read. */
  removeDictionary(name: string): boolean {
    return this.#dictionaries.remove(name);
  }

  /** The names of this instance's dictionaries. */
  listDictionaries(): string[] {
    return this.#dictionaries.names();
  }

  #handle(): NativeHandle {
    return this.#lifecycle.session.handle;
  }

  #read<T>(read: (handle: NativeHandle) => T): T {
    try {
      return read(this.#handle());
    } catch (error) {
      throw fromNative(error);
    }
  }

  #record<T>(table: string, key: string): DatabaseRecord<T> | undefined {
    return this.#read((handle) => {
      const record = handle.getRecord(table, key);
      if (record === undefined) return undefined;
      const { value, version, timestamp, expiration, dictionary } = record;
      const { reader } = this.#lifecycle.session;
      return { value: reader.value(value) as T, version, timestamp, expiration, dictionaryName: dictionary };
    });
  }

  async #call<T>(call: (handle: NativeHandle) => Promise<T>): Promise<T> {
    try {
      return await call(this.#handle());
    } catch (error) {
      throw fromNative(error);
    }
  }

  #means(): Means {
    return { dictionaries: this.#dictionaries, packer, shapes: this.#lifecycle.opened?.shapes };
  }

  /** Submits operations, whose values were packed since `mark`. */
  #submit(operations: readonly Operation[], level: Level | undefined, mark: number): Group {
    try {
      return this.#lifecycle.session.submit(operations, level ?? this.#settings.open.durability, packer);
    } catch (error) {
      throw fromNative(error);
    } finally {
      packer.release(mark);
    }
  }

  #releasingOnError<T>(mark: number, work: () => T): T {
    try {
      return work();
    } catch (error) {
      packer.release(mark);
      throw error;
    }
  }

  #rows<T>(table: string, range: RangeOptions | undefined, rows: RowsOf<T>): AsyncGenerator<T, void, void> {
    return new Rows(this.#opener(table, range, rows), (page) => rows(this.#lifecycle.session.reader, page));
  }

  #rowsNow<T>(table: string, range: RangeOptions | undefined, rows: RowsOf<T>): Generator<T, void, void> {
    return rowsNow(this.#opener(table, range, rows), (page) => rows(this.#lifecycle.session.reader, page));
  }

  /** What the arguments are is looked at when the first entry is asked for, which is when an error can be told. */
  #opener(table: string, range: RangeOptions | undefined, rows: RowsOf<unknown>): () => FirstPage {
    return () => {
      checkTable(table);
      const checked = checkRange(range);
      return this.#read((handle) => firstPage(handle, table, checked, rows === keysOf ? 0 : SCAN_VALUES));
    };
  }
}
