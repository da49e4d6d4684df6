/**
 * The addon's face, and the only file that loads it. What the facade may assume of the addon is written down here.
 *
 * @module
 */
import addon from '../native.cjs';
import type { DatabaseStats, RepairReport, VerifyReport } from './reports.ts';

/** When a write counts as done: 0 eventual, 1 os, 2 full. */
export type Level = 0 | 1 | 2;

/** Value kinds, as the engine stores them. */
export const KIND_BYTES = 0;
export const KIND_JSON = 1;
export const KIND_TAGGED = 2;
export const KIND_TYPED = 3;

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
}

/**
 * One number for each operation of a group: n >= 1 written as version n; 0 a delete that found nothing; -1 a delete
 * that found a record; -2 not done because another operation of the batch conflicted; <= -3 a conflict with
 * `ifVersion`, where the record has version `-3 - outcome` and version 0 means that there is none.
 */
export type Outcomes = Float64Array;

/** Called once for each ticket that {@link NativeHandle.commit} gave out. */
export type Settle = (error: Error | null, ticket: number, outcomes: Outcomes | null) => void;

export interface NativeBinding {
  open(directory: string, options: OpenOptions, settle: Settle): Promise<NativeHandle>;
  /** Reads `source` and writes `target`, both absolute, on a thread of its own. */
  repair(source: string, target: string): Promise<RepairReport>;
  engineVersion(): string;
}

export interface NativeHandle {
  /**
   * Commits the first `length` bytes of `request` (see request.ts) as one group, and copies what it keeps of them.
   * Returns the outcomes when the group is done at once, else a ticket. Groups take effect in the order of the calls.
   */
  commit(request: Uint8Array, length: number, durability: Level): Outcomes | number;
  get(table: string, key: string): RawValue | undefined;
  getMany(table: string, keys: readonly string[]): (RawValue | undefined)[];
  getRecord(table: string, key: string): RawRecord | undefined;
  has(table: string, key: string): boolean;
  tableSize(table: string): number;
  listTables(): string[];
  dropTable(table: string): Promise<boolean>;
  cleanupExpired(table: string): Promise<number>;
  defineDictionary(name: string, deflate: readonly (readonly [string, string])[]): number;
  cursor(table: string, range: RawRange): NativeCursor;
  flush(): Promise<void>;
  compact(): Promise<void>;
  verify(): Promise<VerifyReport>;
  stats(): DatabaseStats;
  close(): Promise<void>;
}

export interface RawRange {
  readonly gte?: string;
  readonly gt?: string;
  readonly lte?: string;
  readonly lt?: string;
  readonly prefix?: string;
  readonly reverse?: boolean;
  readonly limit?: number;
  /** Without values a page is `[key, key, ...]`, with them `[key, value, key, value, ...]`. */
  readonly values: boolean;
}

export interface NativeCursor {
  /** Up to `max` further entries; an empty page is the end. */
  next(max: number): (string | RawValue)[];
  close(): void;
}

/** A string is the text of kind json, a Buffer the bytes of kind bytes; the other kinds name themselves. */
export type RawValue = string | Buffer | { readonly kind: number; readonly text?: string; readonly bytes?: Buffer };

export interface RawRecord {
  readonly value: RawValue;
  readonly version: number;
  readonly timestamp: number;
  readonly expiration: number | null;
  readonly dictionary: string | null;
}

export const native: NativeBinding = addon as NativeBinding;
