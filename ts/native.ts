/**
 * The addon's face, and the only file that loads it. What the facade may assume of the addon is written down here.
 *
 * @module
 */
import addon from '../native.cjs';
import type { BackupReport, DatabaseStats, PruneReport, RepairReport, VerifyReport } from './reports.ts';

/** When a write counts as done: 0 eventual, 1 os, 2 full. */
export type Level = 0 | 1 | 2;

/** Value kinds, as the engine stores them. */
export const KIND_BYTES = 0;
export const KIND_PACKED = 2;

/** Where in the {@link NativeHandle.memory} the name of a table stands, a key, and what comes out. */
export const MEMORY_TABLE = 0;
export const MEMORY_KEY = 1024;
export const MEMORY_OUT = 2048;

/** Settings of the engine. The first handle of a directory in a process decides; `durability` is each handle's own. */
export interface OpenOptions {
  readonly durability: Level;
  /** Milliseconds: at level os a background sync runs at least this often. */
  readonly syncInterval: number;
  /** Milliseconds: at level eventual a write is on disk after this time. */
  readonly flushInterval: number;
  /** Milliseconds for which replaced files are kept. */
  readonly reclaimDelay: number;
  readonly keepGenerations: number;
  readonly memtableBytes: number;
  readonly mmap: boolean;
  readonly shared: boolean;
  readonly readOnly: boolean;
  readonly sha256: boolean;
}

/**
 * What became of the operations of a group. One number for each: n >= 1 written as version n; 0 a delete that found nothing; -1 a delete
 * that found a record; -2 not done because another operation of the batch conflicted; <= -3 a conflict with
 * `ifVersion`, where the record has version `-3 - outcome` and version 0 means that there is none.
 */
export type Outcomes = Float64Array;

/**
 * Called once for each ticket that {@link NativeHandle.commit} gave out; with an error, or with what `commit` returns when a
 * group is done at once.
 */
export type Settle = (error: Error | null, ticket: number, outcomes: Outcomes | null) => void;

export interface NativeBinding {
  open(directory: string, options: OpenOptions, settle: Settle): Promise<NativeHandle>;
  /** As `open`, and waits for it. */
  openSync(directory: string, options: OpenOptions, settle: Settle): NativeHandle;
  /** Reads `source` and writes `target`, both absolute, on a thread of its own. */
  repair(source: string, target: string, progress: NativeProgress): Promise<RepairReport>;
  restore(source: string, target: string, progress: NativeProgress): Promise<BackupReport>;
  /** Begins to follow what any process commits to `directory`, an absolute path, on a thread of its own. */
  watch(directory: string): Promise<NativeWatch>;
  /** Begins to read the store of persistent-kv in an absolute directory. */
  readPersistentKv(directory: string): NativeChanges;
  Progress: new () => NativeProgress;
  engineVersion(): string;
}

export interface NativeWatch {
  /** What was committed since the last call, or a first part of it if that is much. Reads files, and does not wait. */
  next(): RawChange[];
  /** As those of a handle, as far as they were defined by what `next` has given. */
  shapes(first: number): string[][];
  dictionary(number: number): [long: string, short: string][];
  close(): void;
}

/** Without a key: the table was deleted. Without a value: the record was. */
export interface RawChange {
  readonly table: string;
  readonly key: string | null;
  readonly value: RawValue | null;
  readonly version: number;
  readonly timestamp: number;
  readonly expiration: number | null;
}

/** How far one long call has come, to be looked at while it runs. */
export interface NativeProgress {
  /** Bytes that are done. */
  readonly done: number;
  /** Bytes that there are to do; 0 until that is known. */
  readonly total: number;
  /** Makes the call reject with `ERR_CAIRN_CANCELLED` soon. */
  cancel(): void;
}

export interface NativeChanges {
  /**
   * The next changes of the store, with nothing between them: the bytes of a key, and its value or null where it was
   * removed, by turns. The last change of a key is what is there. An empty page is the end. One call at a time.
   */
  next(): Promise<(Buffer | null)[]>;
}

export interface NativeHandle {
  /**
   * Commits the first `length` bytes of `request` (see request.ts) as one group, and copies what it keeps of them.
   * When the group is done at once returns the outcomes, or null if every operation has written; else a ticket. Groups take
   * effect in the order of the calls.
   */
  commit(request: Uint8Array, length: number, durability: Level): Outcomes | null | number;
  /** As `commit`, but waits for all that is queued, and then until the group has reached its level. */
  commitSync(request: Uint8Array, length: number, durability: Level): Outcomes;
  /**
   * Calls `settle` now for the groups that are done and not settled, instead of later. So who looks learns it before an
   * event loop is told.
   */
  settle(settle: Settle): void;
  /**
   * Memory that both sides write to. Of a packed value that a call returns as a string, the string has its characters, and
   * the memory, from {@link MEMORY_OUT} on, for one value after the other: u32 dictionary (1 more than the number of the
   * one that maps its keys, or 0; the highest bit says that the record will expire), u32 length of the head, head.
   */
  readonly memory: ArrayBuffer;
  /** Reads the record whose table and key stand in the memory, with so many bytes. */
  get(table: number, key: number): string | RawValue | undefined;
  getMany(table: string, keys: readonly string[]): (string | RawValue | undefined)[];
  getRecord(table: string, key: string): RawRecord | undefined;
  has(table: string, key: string): boolean;
  tableSize(table: string): number;
  /** How many expirations lie before `moment`, in milliseconds since the epoch; also of records that were replaced since. */
  expirationsBefore(table: string, moment: number): number;
  listTables(): string[];
  dropTable(table: string): Promise<boolean>;
  /** As `dropTable`, and waits until that is on the disk. */
  dropTableSync(table: string): boolean;
  cleanupExpired(table: string): Promise<number>;
  defineDictionary(name: string, deflate: readonly (readonly [string, string])[]): number;
  /** The long and short names of a dictionary. */
  dictionary(number: number): [long: string, short: string][];
  /** The number of the shape with these keys, which is made if there is none; -1 if objects are to name them. */
  defineShape(keys: readonly string[]): number;
  /** A counter that moves by 2 with each change of the database; null where JavaScript may not have memory of others. */
  changes(): ArrayBuffer | null;
  /** The keys of all shapes from this number on. */
  shapes(first: number): string[][];
  /**
   * The first entries of a range, at most `max`. Bounds that are left out are undefined, and `how` is a sum of the bits
   * named {@link SCAN_AFTER} and so on.
   */
  scan(
    table: string,
    low: string | undefined,
    high: string | undefined,
    prefix: string | undefined,
    how: number,
    limit: number,
    max: number,
  ): FirstPage;
  flush(): Promise<void>;
  compact(progress: NativeProgress): Promise<void>;
  verify(progress: NativeProgress): Promise<VerifyReport>;
  /** Writes a copy to `target`, which is absolute. */
  backup(target: string, progress: NativeProgress): Promise<BackupReport>;
  prune(keep: number): Promise<PruneReport>;
  stats(): DatabaseStats;
  /** Takes the turn that one handle of a directory at a time can have in this process. Whether this one has it now. */
  takeTurn(): boolean;
  /** Gives the turn up, as closing does. */
  endTurn(): void;
  close(): Promise<void>;
  /** As `close`, and waits for it. */
  closeSync(): void;
}

/** Of the lower bound: not the key itself. */
export const SCAN_AFTER = 1;
/** Of the upper bound: not the key itself. */
export const SCAN_BEFORE = 2;
/** From the last key to the first. */
export const SCAN_REVERSE = 4;
/** With values. */
export const SCAN_VALUES = 8;
/** The entries are of the kind {@link RawKeyedRecord}. */
export const SCAN_RECORDS = 16;

export interface NativeCursor {
  /**
   * Up to `max` further entries; an empty page is the end. A string has the characters of several entries: of each its
   * key, and with values, which are packed then, those of its value. In the memory stand how many entries these are (u32)
   * and for each of them the units of its key (u32); and with values the units of the value's characters (u32) and what
   * stands there of any packed value.
   */
  next(max: number): RawPage;
  close(): void;
}

/** Or, if records are asked for, of {@link RawKeyedRecord}. */
export type RawPage = readonly (string | RawEntry)[];

/** A page with what gives the following ones, unless it is the last. */
export type FirstPage = RawPage & { readonly rest?: NativeCursor };

export interface RawEntry {
  readonly key: string;
  readonly value: RawValue;
}

/** A Buffer is the bytes of kind bytes; a packed value and JSON have their parts, and other kinds name themselves. */
export type RawValue =
  | Buffer
  | { readonly head: Buffer; readonly text: string; readonly dictionary: number }
  | { readonly json: string }
  | { readonly kind: number };

export interface RawRecord {
  readonly value: RawValue;
  readonly version: number;
  readonly timestamp: number;
  readonly expiration: number | null;
  readonly dictionary: string | null;
}

export interface RawKeyedRecord extends RawRecord {
  readonly key: string;
}

export const native: NativeBinding = addon as NativeBinding;
