/**
 * CairnDB: an embedded, durable key-value database.
 *
 * @module
 */
export { CairnDB } from './database.ts';
export type { Dictionary } from './dictionary.ts';
export { CairnError, type ErrorCode, type ErrorDetails } from './errors.ts';
export type { RangeOptions } from './iterate.ts';
export type { BatchOperation } from './operation.ts';
export type { Access, DatabaseOptions, Durability, Integrity } from './options.ts';
export type { DatabaseRecord } from './reader.ts';
export type {
  BackupReport,
  Damage,
  DatabaseStats,
  KeyRange,
  PruneReport,
  RepairReport,
  TableStats,
  VerifyReport,
} from './reports.ts';
export type { ExchangeOptions, WriteOptions } from './terms.ts';
export type { LongWorkOptions, Progress } from './upkeep.ts';
export type { Change, WatchOptions } from './watch.ts';
