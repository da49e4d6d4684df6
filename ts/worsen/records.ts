/**
 * The database of a store: its records, its state, and what was taken over into it. Synchronous but for writes.
 *
 * @module
 */
import { fromNative, translated } from '../errors.ts';
import { ALL_KEYS, firstPage, rowsNow } from '../iterate.ts';
import { keyOf, textOf } from '../names.ts';
import { SCAN_VALUES } from '../native.ts';
import { deleteOperation, type Operation, putOperation } from '../operation.ts';
import { resolveOptions, type Settings } from '../options.ts';
import { outcomeOf } from '../outcome.ts';
import { Packer } from '../pack.ts';
import { Session } from '../session.ts';
import type { TakeoverReport } from '../takeover.ts';
import { NO_TERMS } from '../terms.ts';
import { type Originals, readOriginals } from './originals.ts';

/** By uid. */
const RECORDS = 'records';
/** What is there once: the state that worsen keeps beside the records, and the report of the take-over. */
const STORE = 'store';
const APP_STATE = 'app_state';
const TAKEOVER = 'takeover';

/** Writes are acknowledged when the operating system has them; a take-over ends when the disk has it. */
const OS = 1;
const FULL = 2;

/** One for all stores: packing is synchronous. */
const packer = new Packer();

/** What a record is to be. */
export interface Seed {
  readonly uid: string;
  readonly data: unknown;
}

export class Records {
  readonly #settings: Settings;
  readonly #session: Session;

  /** Opens the database in `home`, and takes over what worsen left under `name` in `directory`. */
  constructor(home: string, directory: string, name: string) {
    this.#settings = resolveOptions({ databaseDirectory: home, access: 'shared' });
    this.#session = released(() => Session.openSync(this.#settings));
    try {
      this.#takeOver(directory, name);
    } catch (error) {
      this.#session.closeSync();
      throw error;
    }
  }

  get(uid: string): unknown {
    const key = keyOf(uid);
    return recordOf(key, this.#read(RECORDS, key)).data;
  }

  /** Writes a record, or deletes it if `data` is undefined. Resolves once the operating system has that. */
  async write(seed: Seed): Promise<void> {
    const mark = packer.at;
    const operation = this.#operation(seed);
    const group = released(() => this.#session.submit([operation], OS, packer), mark);
    const index = group.size - 1;
    await group.done;
    outcomeOf(group, index, operation);
  }

  /** Writes those of `seeds` that are not there yet. */
  fill(seeds: readonly Seed[]): void {
    if (seeds.length === 0) return;
    const mark = packer.at;
    released(() => {
      const operations = seeds.map((seed) => ({ ...this.#operation(seed), ifVersion: 0 }));
      // A conflict says that it is there.
      this.#session.commitSync(operations, OS, packer, true);
    }, mark);
  }

  /** All records as they are now, in the order of their keys. */
  *entries(): Generator<Seed, void, void> {
    const { handle, reader } = this.#session;
    const open = () => firstPage(handle, RECORDS, ALL_KEYS, SCAN_VALUES);
    for (const [key, value] of rowsNow(open, (page) => reader.entries(page))) yield recordOf(key, value);
  }

  /** What worsen kept beside the records. */
  get appState(): object {
    return (this.#read(STORE, APP_STATE) as object | undefined) ?? {};
  }

  /** The report of the take-over; `undefined` if there was none. */
  get takeover(): TakeoverReport | undefined {
    return this.#read(STORE, TAKEOVER) as TakeoverReport | undefined;
  }

  async close(): Promise<void> {
    try {
      await this.#session.close();
    } catch (error) {
      throw fromNative(error);
    }
  }

  /**
   * Takes over into a database that is new. All of it is one batch, which is done only if there is no report: so a kill
   * leaves nothing of it or all, and of several threads one does it.
   */
  #takeOver(directory: string, name: string): void {
    const isNew = () => released(() => this.#session.handle.listTables()).length === 0;
    const originals = isNew() ? readOriginals(directory, name) : undefined;
    if (originals === undefined) return;
    const mark = packer.at;
    // A conflict says that another one was faster.
    released(() => this.#session.commitSync(this.#takingOver(originals), FULL, packer), mark);
  }

  #takingOver({ report, appState, records }: Originals): Operation[] {
    return [
      { ...this.#put(STORE, TAKEOVER, report), ifVersion: 0 },
      this.#put(STORE, APP_STATE, appState),
      ...records.map(([uid, data]) => this.#operation({ uid, data })),
    ];
  }

  #operation({ uid, data }: Seed): Operation {
    const key = keyOf(uid);
    if (data === undefined) return deleteOperation(RECORDS, key);
    return this.#put(RECORDS, key, textOf(key) === undefined ? { uid, data } : data);
  }

  #put(table: string, key: string, value: unknown): Operation {
    const { dictionaries } = this.#settings;
    return putOperation(table, key, value, NO_TERMS, { dictionaries, packer, shapes: this.#session.shapes });
  }

  #read(table: string, key: string): unknown {
    return released(() => this.#session.reader.get(this.#session.handle, table, key));
  }
}

/** The record under `key`. One whose uid is too long for a key has it in its value. */
function recordOf(key: string, value: unknown): Seed {
  const uid = textOf(key);
  return uid === undefined ? ((value ?? { uid: key, data: undefined }) as Seed) : { uid, data: value };
}

/** What `call` returns, or its error as ours. What was packed since `mark` is released. */
function released<T>(call: () => T, mark = packer.at): T {
  try {
    return translated(call);
  } finally {
    packer.release(mark);
  }
}
