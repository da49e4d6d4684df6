/**
 * PikoDB's class on a CairnDB database.
 *
 * @module
 */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { CairnDB } from '../database.ts';
import { CairnError } from '../errors.ts';
import { HOME, type Removal, removeOriginals, type TakeoverReport } from '../takeover.ts';
import { Connection } from './connection.ts';
import { type Dictionary, lossless, type ProcessedDictionary, processDictionary } from './dictionary.ts';
import type { DatabaseOptions, DatabaseRecord } from './options.ts';
import { entryOf, storable, storedKey, storedTable, storedValue, tableOf } from './storable.ts';
import { takeOver } from './take-over.ts';
import { validateKey, validateTable, validateValue } from './validate.ts';

/**
 * PikoDB, with its records in a CairnDB database. The first opening takes over the tables that PikoDB wrote into the same
 * directory, and leaves the files as they are. See docs/from-pikodb.md for what is the same, and what is better.
 *
 * Names, keys, values and dictionaries that PikoDB does not accept are refused with its own sentences. What else goes wrong
 * is a {@link CairnError}: methods that return a boolean return `false` then and keep it in {@link lastError}, and all others
 * reject with it.
 *
 * @example
 * ```ts
 * const db = new PikoDB({ databaseDirectory: './data' });
 * await db.start();
 * await db.write('users', 'alice', { name: 'Alice' });
 * const alice = await db.get('users', 'alice');
 * await db.close();
 * ```
 */
export class PikoDB {
  /** The directory, as it was given. */
  readonly databaseDirectory: string;
  readonly #dictionaries = new Map<string, ProcessedDictionary>();
  readonly #db: CairnDB;
  readonly #connection: Connection;
  #tables: string[] = [];
  #takeover: TakeoverReport | undefined;
  #lastError: CairnError | undefined;

  /**
   * Makes the directory if it is missing. Nothing is opened yet.
   *
   * @throws Error if a dictionary has neither `deflate` nor `inflate`, or both; {@link CairnError}
   * `ERR_CAIRN_INVALID_OPTIONS` if the directory is no path
   */
  constructor(options: DatabaseOptions) {
    const { databaseDirectory, dictionaries = {}, durableWrites, dictionary } = options;
    this.databaseDirectory = databaseDirectory;
    const unnamed = dictionary ? processDictionary(dictionary) : undefined;
    this.#db = new CairnDB({ databaseDirectory: homeOf(databaseDirectory), durableWrites: Boolean(durableWrites) });
    for (const [name, given] of Object.entries(dictionaries ?? {})) this.addDictionary(name, given);
    if (!existsSync(databaseDirectory)) mkdirSync(databaseDirectory, { recursive: true });
    const directory = join(this.#db.directory, '..');
    this.#connection = new Connection(this.#db, async () => {
      this.#takeover = await takeOver(this.#db, { directory, dictionaries: this.#dictionaries, unnamed });
    });
  }

  /**
   * Opens the database, and takes over what PikoDB left in the directory, see {@link takeover}. Every other method does this
   * too when it is the first one. On an open database it does nothing.
   *
   * Rejects with a {@link CairnError}: `ERR_CAIRN_LOCKED` if another process has it open, `ERR_CAIRN_DIRECTORY`,
   * `ERR_CAIRN_CORRUPT`, `ERR_CAIRN_FORMAT`, `ERR_CAIRN_FULL` or `ERR_CAIRN_IO`.
   */
  async start(): Promise<void> {
    await this.#connection.open();
  }

  /**
   * Stores a value under a key, and makes the table if there is none. Resolves to `true` once it is written; to `false`,
   * with the reason in {@link lastError}, if it could not be, and then reads give what was there before.
   *
   * Rejects if the table, the key, the value or the name of the dictionary is not acceptable.
   *
   * @param expirationTimestamp - milliseconds since the epoch, after which the record is missing. 0, NaN or absent: never.
   * A negative one has passed.
   * @param dictionaryName - the dictionary that shortens the keys of the value
   */
  async write(
    tableName: string,
    key: string,
    // biome-ignore lint/suspicious/noExplicitAny: PikoDB's own signature.
    value: any,
    expirationTimestamp?: number,
    dictionaryName?: string,
  ): Promise<boolean> {
    validateTable(tableName);
    validateKey(key);
    validateValue(value);
    this.#checkDictionary(dictionaryName);
    const place = storedKey(key);
    const copy = storedValue(key, place, storable(value));
    const options = { expiresAt: expirationOf(expirationTimestamp), dictionary: dictionaryName || undefined };
    return this.#persisting((db) => db.write(storedTable(tableName), place, copy, options));
  }

  /**
   * The value under a key; `undefined` if there is none, or if it has expired. Without a key, all records of the table that
   * have not expired, as `[key, value]` in the order of the keys; `[]` for no such table.
   */
  // biome-ignore lint/suspicious/noExplicitAny: PikoDB's own signature.
  async get(tableName: string, key?: string): Promise<any> {
    validateTable(tableName);
    if (key !== undefined) validateKey(key);
    const table = storedTable(tableName);
    if (key === undefined) {
      const entries = await this.#connection.run((db) => db.get(table));
      return entries.map(([place, value]) => entryOf(place, value));
    }
    const place = storedKey(key);
    const value = await this.#connection.run((db) => db.get(table, place));
    return value === undefined ? undefined : entryOf(place, value)[1];
  }

  /** The value under a key with its version, time, expiration and dictionary; `undefined` if there is none. Not in PikoDB. */
  async getRecord(tableName: string, key: string): Promise<DatabaseRecord | undefined> {
    validateTable(tableName);
    validateKey(key);
    const place = storedKey(key);
    const record = await this.#connection.run((db) => db.getRecord(storedTable(tableName), place));
    if (record === undefined) return undefined;
    const { value, version, timestamp, expiration, dictionaryName } = record;
    const known = { value: entryOf(place, value)[1], version, timestamp, expiration };
    return dictionaryName === null ? known : { ...known, dictionaryName };
  }

  /**
   * Deletes a record. Resolves to whether there was one that had not expired; to `false`, with the reason in
   * {@link lastError}, if it could not be deleted.
   */
  async delete(tableName: string, key: string): Promise<boolean> {
    validateTable(tableName);
    validateKey(key);
    return this.#persisting((db) => db.delete(storedTable(tableName), storedKey(key)));
  }

  /** The number of records of a table that have not expired; 0 for no such table. */
  async getTableSize(tableName: string): Promise<number> {
    validateTable(tableName);
    return this.#connection.run((db) => db.getTableSize(storedTable(tableName)));
  }

  /** The names of the tables; `[]` before the database was opened, and what they were after it was closed. */
  listTables(): string[] {
    if (this.#connection.isOpen) this.#tables = this.#db.listTables().map(tableOf);
    return [...this.#tables];
  }

  /**
   * Deletes a table with all its records. Resolves to `true`, also if there was none; to `false`, with the reason in
   * {@link lastError}, if it could not be deleted.
   */
  async deleteTable(tableName: string): Promise<boolean> {
    validateTable(tableName);
    return this.#persisting((db) => db.deleteTable(storedTable(tableName)));
  }

  /** Removes the expired records of a table. Resolves to their number. */
  async cleanupExpired(tableName: string): Promise<number> {
    validateTable(tableName);
    return this.#connection.run((db) => db.cleanupExpired(storedTable(tableName)));
  }

  /** Removes the expired records of all tables. Resolves to their number. */
  async cleanupAllExpired(): Promise<number> {
    return this.#connection.run((db) => db.cleanupAllExpired());
  }

  /** Resolves once everything that was written is on the disk. Does nothing on a database that is not open. */
  async flush(): Promise<void> {
    if (this.#connection.isUsed) await this.#connection.run((db) => db.flush());
  }

  /** Writes what was accepted, and releases the database. The next call of another method opens it again. */
  async close(): Promise<void> {
    this.listTables();
    await this.#connection.close();
  }

  /**
   * Adds a dictionary, or replaces the one of this name. Records that were written with the former one are read as they were
   * written.
   *
   * @throws Error if it has neither `deflate` nor `inflate`, or both
   */
  addDictionary(name: string, dictionary: Dictionary): void {
    const processed = processDictionary(dictionary);
    // One without a name can be listed, but no write can ask for it.
    if (name !== '') this.#db.addDictionary(name, lossless(processed));
    this.#dictionaries.set(name, processed);
  }

  /** Removes a dictionary. Returns whether there was one. Its records can still be read. */
  removeDictionary(name: string): boolean {
    this.#db.removeDictionary(name);
    return this.#dictionaries.delete(name);
  }

  /** The names of the dictionaries. */
  listDictionaries(): string[] {
    return [...this.#dictionaries.keys()];
  }

  /** Why the last call of `write`, `delete` or `deleteTable` that failed did so. Not in PikoDB, which prints it. */
  get lastError(): CairnError | undefined {
    return this.#lastError;
  }

  /**
   * What was taken over from PikoDB's files, and which of them were left alone and why; `undefined` before the database was
   * opened. Files that were refused are tried again each time that it is opened. Not in PikoDB.
   *
   * @example
   * ```ts
   * await db.start();
   * for (const { name, why } of db.takeover()?.refused ?? []) console.warn(name, why);
   * ```
   */
  takeover(): TakeoverReport | undefined {
    return this.#takeover;
  }

  /**
   * Deletes PikoDB's files that were taken over and have not changed since. Resolves to what was removed, and what was kept
   * and why. From then on only this database has the records. Not in PikoDB.
   */
  async removeOriginals(): Promise<Removal> {
    return this.#connection.run(async (db) => {
      // The records have to be on the disk before the last other copy of them is gone.
      await db.flush();
      const report = this.#takeover;
      return report === undefined ? { removed: [], kept: [] } : removeOriginals(join(db.directory, '..'), report);
    });
  }

  #checkDictionary(name: unknown): void {
    if (!name || this.#dictionaries.has(name as string)) return;
    const known = this.listDictionaries().join(', ') || 'none';
    throw new Error(`Dictionary "${name}" not found. Available dictionaries: ${known}`);
  }

  async #persisting(work: (db: CairnDB) => Promise<boolean>): Promise<boolean> {
    try {
      return await this.#connection.run(work);
    } catch (error) {
      if (!(error instanceof CairnError) || isRefusal(error)) throw error;
      this.#lastError = error;
      return false;
    }
  }
}

function homeOf(directory: unknown): string {
  // What is no path is refused with the sentence that says what it should be.
  return typeof directory === 'string' && directory !== '' ? join(directory, HOME) : (directory as string);
}

/** Whether the arguments were at fault. */
function isRefusal({ code }: CairnError): boolean {
  return code.startsWith('ERR_CAIRN_INVALID_') || code === 'ERR_CAIRN_TOO_LARGE';
}

/** The number that PikoDB compares with the clock; `undefined`: never. */
function expirationOf(expiration: unknown): number | undefined {
  if (!expiration) return undefined;
  const time = Number(expiration);
  if (Number.isNaN(time) || time === Number.POSITIVE_INFINITY) return undefined;
  // It has passed; the number 0 says that there is none.
  return time <= 0 ? Math.min(-1, Math.max(time, -Number.MAX_VALUE)) : time;
}
