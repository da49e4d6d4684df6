/**
 * Persistency's interface on CairnDB: `import { Persistency } from 'cairndb/persistency'`.
 *
 * @module
 */
import { opendirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { CairnError } from '../errors.ts';
import { HOME, type Removal, removeOriginals, reportOf, type TakeoverReport } from '../takeover.ts';
import { describe, isWellFormed } from '../validate.ts';
import { engineOptions, type PersistencyOptions, resolveArguments } from './options.ts';
import { DATA_FILE, ENTRIES_FILE, openOriginals } from './originals.ts';
import { Store } from './store.ts';
import { SYSTEM, takeOver } from './takeover.ts';

export { CairnError, type ErrorCode } from '../errors.ts';
export type { RefusedFile, Removal, TakenFile, TakeoverReport } from '../takeover.ts';
export type { PersistencyOptions } from './options.ts';

/** How much of the disk is in use, as ranges of bytes, each from its first byte to the one behind its last. */
export interface AllocatedBlocks {
  /** Of the journal. */
  entries: [start: number, end: number][];
  /** Of the files of records. */
  data: [start: number, end: number][];
}

/**
 * A map from strings to Buffers in a folder. Every call returns when it is done: what was set or deleted is on the disk.
 *
 * An `entries.db` and a `data.db` that Persistency wrote are taken over when the folder is opened for the first time, and
 * stay as they are. Instances in one process share the folder; another process is refused (`ERR_CAIRN_LOCKED`).
 *
 * @example
 * ```ts
 * const persistency = new Persistency({ folder: './data' });
 * persistency.set('greeting', Buffer.from('hello'));
 * persistency.get('greeting')?.toString(); // 'hello'
 * persistency.close();
 * ```
 */
export class Persistency {
  /** Where Persistency has its records. Only taken over, never written. */
  readonly entriesFile: string;
  /** Where Persistency has its keys and values. Only taken over, never written. */
  readonly dataFile: string;
  /** Milliseconds for which files that were replaced are kept. */
  readonly reclaimDelay: number;
  readonly #folder: string;
  readonly #home: string;
  #store: Store | undefined;

  /**
   * Opens the store, and takes over what Persistency left in the folder.
   *
   * @throws `Error` with the texts of Persistency: `Invalid folder`, `Data file is not a persistency one`,
   * `Entries file is not a persistency one`; the error of the system if the folder is missing (`ENOENT`)
   * @throws {@link CairnError} `ERR_CAIRN_INVALID_OPTIONS`, `ERR_CAIRN_LOCKED`, `ERR_CAIRN_DIRECTORY`,
   * `ERR_CAIRN_CORRUPT`, `ERR_CAIRN_FORMAT`, `ERR_CAIRN_TOO_LARGE`, `ERR_CAIRN_FULL`, `ERR_CAIRN_IO`
   */
  constructor(options: PersistencyOptions, context?: never) {
    const { folder, reclaimDelay } = resolveArguments(options, context);
    this.entriesFile = join(folder, ENTRIES_FILE);
    this.dataFile = join(folder, DATA_FILE);
    this.reclaimDelay = reclaimDelay;
    // A later process.chdir() must not make it another one.
    this.#folder = resolve(folder);
    this.#home = join(this.#folder, HOME);
    opendirSync(this.#folder).closeSync();
    // Before anything is written: the files may be those of another program.
    const originals = reportOf(this.#home, SYSTEM) === undefined ? openOriginals(this.#folder) : undefined;
    try {
      const store = new Store(this.#home, engineOptions(this.#home, reclaimDelay));
      try {
        store.inTurn(() => takeOver(this.#home, store, originals));
        this.#store = store;
      } finally {
        if (this.#store === undefined) store.close();
      }
    } finally {
      originals?.entries.close();
      originals?.data.close();
    }
  }

  /** How many keys there are. */
  count(): number {
    return this.#open.count();
  }

  /**
   * All keys with their values as they are at the first step, in the order of the keys' UTF-8 bytes; those of more than
   * 1023 bytes come last, in no particular order. Each value is a Buffer of the caller's own.
   */
  *cursor(): Generator<[key: string, value: Buffer], null, void> {
    return yield* this.#open.entries();
  }

  /**
   * Stores a value. It is on the disk when this returns.
   *
   * @param key - a string without halves of surrogate pairs; it may be empty
   * @param value - up to 512 MiB, less the key if that has more than 1023 bytes of UTF-8; a string is stored as UTF-8
   * @throws {@link CairnError} `ERR_CAIRN_INVALID_KEY`, `ERR_CAIRN_INVALID_VALUE`, `ERR_CAIRN_TOO_LARGE`,
   * `ERR_CAIRN_CLOSED`, `ERR_CAIRN_FULL`, `ERR_CAIRN_FAILED`, `ERR_CAIRN_IO`. Nothing was written then, save that after a
   * failed sync of the disk (`ERR_CAIRN_IO`) the value may turn out to be there.
   */
  set(key: string, value: Uint8Array | string): void {
    checkKey(key);
    this.#open.write([[key, bytesOf(value)]]);
  }

  /** The value under a key, as a Buffer of the caller's own; `null` if there is none. */
  get(key: string): Buffer | null {
    checkKey(key);
    return this.#open.get(key);
  }

  /** Deletes a key, and says whether it was there. That is on the disk when this returns. */
  delete(key: string): boolean {
    checkKey(key);
    return this.#open.write([[key, undefined]])[0] !== 0;
  }

  /**
   * How much of the disk is in use: `entries` has one range as long as the journal, `data` one as long as all files of
   * records together, in bytes. Where there is nothing, there is no range.
   */
  getAllocatedBlocks(): AllocatedBlocks {
    const { journalBytes, stoneBytes } = this.#open.stats();
    const blocks = (bytes: number): [number, number][] => (bytes === 0 ? [] : [[0, bytes]]);
    return { entries: blocks(journalBytes), data: blocks(stoneBytes) };
  }

  /**
   * Closes the store. Calling it again does nothing. From then on every method that needs the data throws
   * `ERR_CAIRN_CLOSED`.
   */
  close(): void {
    const store = this.#store;
    this.#store = undefined;
    store?.close();
  }

  /**
   * What was taken over from Persistency, and which damaged records of it were not; `undefined` if there was nothing.
   *
   * @example
   * ```ts
   * for (const { name, why } of persistency.takeover()?.refused ?? []) console.warn(name, why);
   * ```
   */
  takeover(): TakeoverReport | undefined {
    return reportOf(this.#home, SYSTEM);
  }

  /**
   * Removes `entries.db` and `data.db` if they were taken over and have not changed since. There is no way back to
   * Persistency then, and damaged records that were left out are gone.
   */
  removeOriginals(): Removal {
    const report = this.takeover();
    return report === undefined ? { removed: [], kept: [] } : removeOriginals(this.#folder, report);
  }

  get #open(): Store {
    if (this.#store !== undefined) return this.#store;
    throw new CairnError('ERR_CAIRN_CLOSED', 'The store is closed. Make a new Persistency of its folder.');
  }
}

function checkKey(key: unknown): asserts key is string {
  const refusal = (problem: string) => new CairnError('ERR_CAIRN_INVALID_KEY', `Key ${describe(key)} ${problem}.`);
  if (typeof key !== 'string') throw refusal('is not a string');
  if (!isWellFormed(key)) throw refusal('contains half of a surrogate pair, which UTF-8 cannot hold');
}

function bytesOf(value: unknown): Uint8Array {
  if (typeof value === 'string') return Buffer.from(value);
  if (value instanceof Uint8Array) return value;
  throw new CairnError('ERR_CAIRN_INVALID_VALUE', `The value is ${describe(value)}; give a Buffer.`);
}
