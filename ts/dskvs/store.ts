/**
 * The store of dskvs, on a database of CairnDB.
 *
 * @module
 */
import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { CairnDB } from '../database.ts';
import { CairnError } from '../errors.ts';
import { inTurn } from '../import.ts';
import { type DatabaseOptions, resolveDirectory } from '../options.ts';
import { HOME, type Removal, removeOriginals, reportOf, type TakeoverReport } from '../takeover.ts';
import { describe, isWellFormed } from '../validate.ts';
import { KeyError, PathError, StoreError } from './errors.ts';
import { placeOfMember, tableOfKey } from './keys.ts';
import { SYSTEM, takeOver } from './takeover.ts';

/** How long writes may stay in memory. */
export interface StoreOptions {
  /** When `put()`, `delete()` and `deleteAll()` are acknowledged. Default `eventual`: from memory, as in dskvs. */
  readonly durability?: DatabaseOptions['durability'];
  /** Milliseconds after which, at the latest, what was acknowledged from memory goes to the system. Default 100. */
  readonly flushInterval?: DatabaseOptions['flushInterval'];
}

const IN_USE = Symbol.for('cairndb.dskvs.inUse');
const shared = globalThis as unknown as { [IN_USE]?: Set<string> };
shared[IN_USE] ??= new Set();
/**
 * Directories of the stores that are loaded in this thread, as the file system calls them. The copies of this module that
 * a program may have share it.
 */
const inUse = shared[IN_USE];

/**
 * A store of collections of members, addressed by `collection/member`. A value is bytes.
 *
 * The data is in `.cairndb` in the directory of the store. What dskvs wrote there is taken over by the first `load()`, and
 * only read.
 *
 * A **full key** is any string that does not begin with `/`; what stands in front of the first `/` is the collection, all
 * behind it the member. A method that is about a member rejects with {@link KeyError} if there is none, and one that is
 * about a collection if there is one.
 *
 * All methods but the constructor report errors by rejecting: {@link KeyError}, {@link PathError}, {@link StoreError} if
 * the store is not loaded, and else a {@link CairnError}.
 *
 * @example
 * ```ts
 * const store = new Store('./music');
 * await store.load();
 * await store.put('artist/daft_punk', '{ "quality": "epic" }');
 * const value = await store.get('artist/daft_punk'); // a Buffer
 * await store.close();
 * ```
 */
export class Store {
  readonly #directory: string;
  readonly #db: CairnDB;
  /** The directory as {@link inUse} has it, while the store is loaded. */
  #claim: string | undefined;
  #loading: Promise<void> | undefined;

  /**
   * Touches no disk; {@link load} opens the store.
   *
   * @throws {@link PathError} if `path` cannot be that of a directory
   * @throws {@link CairnError} `ERR_CAIRN_INVALID_OPTIONS`
   */
  constructor(path: string, options: StoreOptions = {}) {
    this.#directory = checkPath(path);
    this.#db = new CairnDB({ durability: 'eventual', ...options, databaseDirectory: join(this.#directory, HOME) });
  }

  /** Makes a store for `path` and loads it. */
  static async open(path: string, options?: StoreOptions): Promise<Store> {
    const store = new Store(path, options);
    await store.load();
    return store;
  }

  /** The directory of the store, as an absolute path. */
  get directory(): string {
    return this.#directory;
  }

  /**
   * Opens the store, makes its directory if it is missing, and takes over what dskvs left there. Does nothing when the
   * store is loaded.
   *
   * Rejects with {@link PathError} if another store, of this thread or of another process, has the directory.
   */
  async load(): Promise<void> {
    this.#loading ??= this.#load().finally(() => {
      this.#loading = undefined;
    });
    await this.#loading;
  }

  async #load(): Promise<void> {
    if (this.#claim !== undefined) return;
    await this.#db.start().catch(rethrowAsPathError);
    const claim = realpathSync(this.#directory);
    try {
      if (inUse.has(claim)) throw inUseError(this.#directory);
      inUse.add(claim);
      await inTurn(this.#db, () => takeOver(this.#db, this.#directory)).catch((error) => {
        inUse.delete(claim);
        throw error;
      });
      this.#claim = claim;
    } catch (error) {
      await this.#db.close();
      throw error;
    }
  }

  /** The value of a member, or `undefined` if there is none. */
  async get(fullKey: string): Promise<Buffer | undefined> {
    const { table, key } = placeOfMember(fullKey, 'Get');
    return this.#loaded().get<Buffer>(table, key);
  }

  /** The values of all members of a collection, in the order of the members; `[]` for no such collection. */
  async getAll(collection: string): Promise<Buffer[]> {
    const table = tableOfKey(collection, 'GetAll');
    const values: Buffer[] = [];
    for await (const value of this.#loaded().values<Buffer>(table)) values.push(value);
    return values;
  }

  /**
   * Stores a value, of which it takes a copy. Resolves to the value before it, or `undefined` if there was none. A string
   * is stored as its UTF-8.
   */
  async put(fullKey: string, value: Uint8Array | string): Promise<Buffer | undefined> {
    const { table, key } = placeOfMember(fullKey, 'Put');
    return this.#loaded().getAndSet<Buffer>(table, key, bytesOf(value));
  }

  /** Deletes a member, if there is one. Rejects with {@link KeyError} if there is no such collection. */
  async delete(fullKey: string): Promise<void> {
    const { table, key } = placeOfMember(fullKey, 'Delete');
    const db = this.#loaded();
    if ((await db.delete(table, key)) || db.listTables().includes(table)) return;
    throw new KeyError('key does not represent a collection in this store', describe(fullKey));
  }

  /** Deletes a collection with all its members, if there is one. */
  async deleteAll(collection: string): Promise<void> {
    const table = tableOfKey(collection, 'DeleteAll');
    await this.#loaded().deleteTable(table);
  }

  /** Resolves once everything that was acknowledged is synced to disk. */
  async flush(): Promise<void> {
    await this.#loaded().flush();
  }

  /** Writes what was acknowledged, and gives the directory free. Does nothing when the store is not loaded. */
  async close(): Promise<void> {
    // Why loading failed is told to who called load().
    await this.#loading?.catch(() => undefined);
    if (this.#claim !== undefined) inUse.delete(this.#claim);
    this.#claim = undefined;
    await this.#db.close();
  }

  /** The same as {@link close}, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** What was taken over from dskvs, and what was not, with the reason; `undefined` if there was nothing. */
  takeover(): TakeoverReport | undefined {
    return reportOf(this.#loaded().directory, SYSTEM);
  }

  /**
   * Deletes the files of dskvs that were taken over, and have not changed since. Their directories stay. Returns what was
   * removed, and what not.
   */
  removeOriginals(): Removal {
    const report = this.takeover();
    return report === undefined ? { removed: [], kept: [] } : removeOriginals(this.#directory, report);
  }

  #loaded(): CairnDB {
    if (this.#claim !== undefined) return this.#db;
    throw new StoreError(`Store with path <${this.#directory}> is not loaded; call load() and wait for it first`);
  }
}

function checkPath(path: string): string {
  try {
    return resolveDirectory('path', path);
  } catch (error) {
    throw asPathError(error);
  }
}

function rethrowAsPathError(error: unknown): never {
  throw asPathError(error);
}

/** An error of opening: what is about the path as dskvs says it, anything else as it is. */
function asPathError(error: unknown): unknown {
  if (!(error instanceof CairnError)) return error;
  if (error.code === 'ERR_CAIRN_LOCKED') return new PathError('Path is already used by another Store', error);
  const isOfPath = error.code === 'ERR_CAIRN_DIRECTORY' || error.code === 'ERR_CAIRN_INVALID_OPTIONS';
  return isOfPath ? new PathError('String is not a valid path', error) : error;
}

function inUseError(directory: string): PathError {
  const message = `${directory} is loaded in this thread; use that store, or close it.`;
  return new PathError('Path is already used by another Store', new CairnError('ERR_CAIRN_LOCKED', message));
}

function bytesOf(value: unknown): Buffer {
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.length);
  if (typeof value === 'string' && isWellFormed(value)) return Buffer.from(value);
  throw new CairnError(
    'ERR_CAIRN_INVALID_VALUE',
    `The value is ${describe(value)}; give a Buffer, a Uint8Array, or a string without halves of surrogate pairs.`,
  );
}
