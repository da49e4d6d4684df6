/**
 * A session: one opening of a directory, from `start()` to `close()`. It gathers the operations of a turn and enters
 * the engine with one call.
 *
 * @module
 */
import { ObjectCache } from './cache.ts';
import type { Mapping } from './dictionary.ts';
import { CairnError, fromNative } from './errors.ts';
import { onExit } from './exit.ts';
import { type Level, type NativeHandle, native, type Outcomes, type Settle } from './native.ts';
import type { Operation } from './operation.ts';
import type { Settings } from './options.ts';
import { hasChanged, WRITTEN } from './outcome.ts';
import type { Packer } from './pack.ts';
import { BusyPoll } from './polling.ts';
import { Reader } from './reader.ts';
import { RecentValues } from './recent.ts';
import { RequestBuffer } from './request.ts';
import { Shapes } from './shapes.ts';

const NOW = Promise.resolve();
/** A request of this size is entered at once. */
const FULL_REQUEST = 256 * 1024;
/** The most that one batch may take, in bytes. */
const MAX_BATCH_BYTES = 1024 * 1024 * 1024;

/** Operations that enter the engine together. */
export class Group {
  readonly level: Level;
  /** Resolves once it is known what became of them. */
  readonly done: Promise<void>;
  /** How many operations it has. */
  size = 0;
  #written: Promise<true> | undefined;
  #outcomes: Outcomes | null = null;
  /** Why none of them was done; null if they were. */
  #error: Error | null = null;
  #resolve!: () => void;

  constructor(level: Level) {
    this.level = level;
    this.done = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  /** Without an error and outcomes, every operation has written. */
  settle(error: Error | null, outcomes: Outcomes | null): void {
    this.#error = error;
    this.#outcomes = outcomes;
    this.#resolve();
  }

  /** Throws if none of the operations was done, now that this is known. */
  check(): void {
    if (this.#error !== null) throw fromNative(this.#error);
  }

  /** What became of the operation at `index`: see {@link Outcomes}. Throws if none was done. */
  outcomeAt(index: number): number {
    this.check();
    // Of those that have written nobody asks for the version.
    return this.#outcomes === null ? WRITTEN : (this.#outcomes[index] as number);
  }

  /** Resolves once all of the operations that have no condition are done: one promise for all who wait for nothing else. */
  get written(): Promise<true> {
    this.#written ??= this.done.then(() => {
      this.check();
      return true;
    });
    return this.#written;
  }
}

/**
 * Entered groups whose outcome native code still owes, by ticket. Native code holds `settle`, so nothing here may hold the
 * handle: then neither could ever be collected.
 */
class Pending {
  readonly #groups = new Map<number, Group>();
  readonly settle: Settle = (error, ticket, outcomes) => {
    const group = this.#groups.get(ticket);
    this.#groups.delete(ticket);
    this.#poll.end();
    group?.settle(error, outcomes);
  };
  readonly #poll = new BusyPoll(this.settle);

  add(ticket: number, group: Group, handle: NativeHandle): void {
    this.#groups.set(ticket, group);
    this.#poll.begin(handle);
  }

  /** Resolves once all of them are settled. */
  async drained(): Promise<void> {
    await Promise.all(Array.from(this.#groups.values(), ({ done }) => done));
  }
}

export class Session {
  readonly shapes: Shapes;
  readonly reader: Reader;
  readonly #cache: ObjectCache | undefined;
  readonly #recent: RecentValues | undefined;
  readonly #handle: NativeHandle;
  readonly #request = new RequestBuffer();
  readonly #pending: Pending;
  readonly #dictionaries = new WeakMap<Mapping, number>();
  readonly #forget: () => void;
  #group: Group | undefined;
  #scheduled = false;
  readonly #enterScheduled = (): void => {
    this.#scheduled = false;
    this.enter();
  };

  private constructor(handle: NativeHandle, pending: Pending, cacheSize: number, isShared: boolean) {
    this.shapes = new Shapes(handle);
    const memory = isShared ? null : handle.changes();
    const changes = memory === null ? undefined : new Int32Array(memory);
    if (changes !== undefined && cacheSize > 0) this.#cache = new ObjectCache(cacheSize, changes);
    else if (changes !== undefined) this.#recent = new RecentValues(changes);
    this.reader = new Reader(handle, this.shapes, this.#cache, this.#recent);
    this.#handle = handle;
    this.#pending = pending;
    this.#forget = onExit(this);
  }

  static async open({ directory, objectCache, open }: Settings): Promise<Session> {
    const pending = new Pending();
    return new Session(await native.open(directory, open, pending.settle), pending, objectCache, open.shared);
  }

  /** As {@link open}, and waits for it. */
  static openSync({ directory, objectCache, open }: Settings): Session {
    const pending = new Pending();
    return new Session(native.openSync(directory, open, pending.settle), pending, objectCache, open.shared);
  }

  /** The handle, after everything that was gathered has entered: you read your writes. */
  get handle(): NativeHandle {
    this.enter();
    return this.#handle;
  }

  /**
   * Gathers `operations`, all in one group, as one atomic unit. Runs no code of the user and either takes all of them or
   * throws and takes none. They are the last ones of the group that is returned.
   */
  submit(operations: readonly Operation[], level: Level, packer: Packer): Group {
    let large = false;
    for (const operation of operations) {
      // Now, since it may fail, and once something is appended nothing may.
      this.#register(operation.mapping);
      large ||= isLarge(operation);
    }
    if (large || this.#group?.level !== level) this.enter();
    this.#append(operations, packer);
    this.#forgetValues(operations);
    this.#group ??= new Group(level);
    const group = this.#group;
    group.size += operations.length;
    if (this.#request.length >= FULL_REQUEST) this.enter();
    else this.#schedule();
    return group;
  }

  /**
   * Does `operations` after everything that was gathered, as one atomic unit or each `alone`, and waits until they have
   * reached their level.
   */
  commitSync(operations: readonly Operation[], level: Level, packer: Packer, alone = false): Outcomes {
    this.enter();
    this.#forgetValues(operations);
    try {
      this.#append(operations, packer, alone);
      return this.#handle.commitSync(this.#request.bytes, this.#request.length, level);
    } finally {
      this.#request.clear();
    }
  }

  /** Drops a table after everything that was gathered. Resolves once that is on the disk; reads see it at once. */
  dropTable(table: string): Promise<boolean> {
    this.#cache?.forgetTable(table);
    this.#recent?.forget();
    return this.handle.dropTable(table);
  }

  /** What was read of these keys has to be read again: then the read waits for the operations. */
  #forgetValues(operations: readonly Operation[]): void {
    this.#cache?.forget(operations);
    this.#recent?.forget();
  }

  #append(operations: readonly Operation[], packer: Packer, alone = false): void {
    const start = this.#request.length;
    try {
      for (let index = 0; index < operations.length; index += 1) {
        const operation = operations[index] as Operation;
        this.#request.append(operation, this.#register(operation.mapping), index > 0 && !alone, packer);
        if (this.#request.length - start > MAX_BATCH_BYTES) throw tooLarge();
      }
    } catch (error) {
      this.#request.truncate(start);
      throw error;
    }
  }

  /** The number of a dictionary, which the database gives out when it is used for the first time. */
  #register(mapping: Mapping | undefined): number | undefined {
    if (mapping === undefined) return undefined;
    let number = this.#dictionaries.get(mapping);
    if (number === undefined) {
      number = this.#handle.defineDictionary(mapping.name, mapping.pairs);
      this.#dictionaries.set(mapping, number);
    }
    return number;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    // Costs less than queueMicrotask(), which in Node.js keeps track of who has called it.
    NOW.then(this.#enterScheduled);
  }

  /** Enters what has been gathered. Never throws: whoever waits for the group learns what became of it. */
  enter(): void {
    const group = this.#group;
    if (group === undefined) return;
    this.#group = undefined;
    const mark = this.#cache?.mark();
    try {
      const result = this.#handle.commit(this.#request.bytes, this.#request.length, group.level);
      if (typeof result === 'number') this.#pending.add(result, group, this.#handle);
      else {
        if (mark !== undefined && hasChanged(result)) this.#cache?.entered(mark);
        group.settle(null, result);
      }
    } catch (error) {
      group.settle(error as Error, null);
    }
    this.#request.clear();
  }

  /** Enters what has been gathered, and waits until all that has entered is settled. */
  async drain(): Promise<void> {
    this.enter();
    await this.#pending.drained();
  }

  /** Drains, and releases the directory. */
  async close(): Promise<void> {
    await this.drain();
    this.#forget();
    await this.#handle.close();
  }

  /** As {@link close}, and waits for it. */
  closeSync(): void {
    this.enter();
    this.#forget();
    this.#handle.closeSync();
  }
}

/** Whether an operation fills a request alone. What was gathered before it must not share its fate. */
function isLarge({ value }: Operation): boolean {
  return value !== undefined && value.end - value.start > FULL_REQUEST;
}

function tooLarge(): CairnError {
  return new CairnError(
    'ERR_CAIRN_TOO_LARGE',
    `A batch takes at most ${MAX_BATCH_BYTES} bytes; split it into several.`,
  );
}
