/**
 * What `stats()`, `verify()`, `repair()`, `backup()`, `restore()` and `prune()` report.
 *
 * @module
 */

/** Figures about a database: what it holds, and what was done since it was opened. */
export interface DatabaseStats {
  /** Each table, in the order of the names. */
  readonly tables: readonly TableStats[];
  /** Records that are not deleted. Those that have expired count until they are cleaned up or merged away. */
  readonly liveRecords: number;
  /** Bytes of their keys and values. */
  readonly liveBytes: number;
  /** Bytes of memory held for what is not in files of tables yet. */
  readonly memoryBytes: number;
  /** Bytes of the files of all tables. */
  readonly stoneBytes: number;
  /** Bytes of the journal that is still needed. */
  readonly journalBytes: number;
  /** Bytes of files that only earlier generations need; they go after `reclaimDelay`. */
  readonly reclaimableBytes: number;
  /** The number of the present generation. */
  readonly generation: number;
  /** Bytes of keys and values that were written since the database was opened. */
  readonly writtenBytes: number;
  /** Records that were written since then, deletions included. */
  readonly writtenRecords: number;
  /** Bytes that went to disk for that. */
  readonly diskWrittenBytes: number;
  /** `diskWrittenBytes` for each written byte; 0 before the first write. */
  readonly writeAmplification: number;
  /** Bytes on disk that are in use for each live byte; 0 for an empty database. */
  readonly spaceAmplification: number;
  /** Reads of single keys since the database was opened. */
  readonly reads: number;
  /** Files asked for each of them, on average. */
  readonly readAmplification: number;
  /** Syncs of the journal. */
  readonly syncs: number;
  /** How long writers were made to wait because writing files lagged behind, in nanoseconds. */
  readonly pausedNanoseconds: number;
  /** Why the last work in the background failed, while it has not succeeded again; null: it did not. */
  readonly backgroundError: string | null;
}

/** Figures about one table. */
export interface TableStats {
  readonly name: string;
  /** Records that are not deleted. */
  readonly liveRecords: number;
  /** Bytes of their keys and values. */
  readonly liveBytes: number;
  /** Bytes of each of its files, newest first. */
  readonly stones: readonly number[];
  /** Bytes of the records in them, deleted and replaced ones among them, before they are packed. */
  readonly contentBytes: number;
  /** Bytes of memory held for what is not in its files yet. */
  readonly memoryBytes: number;
}

/** What was read back from disk, and what of it is damaged. */
export interface VerifyReport {
  /** Files that were read. */
  readonly files: number;
  /** Bytes in them. */
  readonly bytes: number;
  /** Records and journal entries that are good. */
  readonly checked: number;
  /** What is damaged; empty if all is well. */
  readonly damage: readonly Damage[];
}

/** A place on disk that is not what was written. */
export interface Damage {
  /** The file. */
  readonly path: string;
  /** The byte where the damage begins. */
  readonly offset: number;
  /** How many bytes are damaged or missing; null where that is not known. */
  readonly bytes: number | null;
  /** What is wrong. */
  readonly what: string;
  /** The table that it is part of; null where that is not known. */
  readonly table: string | null;
  /** The keys that cannot be read because of it, as far as they can be told. */
  readonly keys: readonly string[];
  /** Where it cannot be told which keys are lost: those between which they are; null: no others. */
  readonly between: KeyRange | null;
}

/** The keys between two others, in the order of their bytes. */
export interface KeyRange {
  /** The keys above this one; null: from the first of the table. */
  readonly after: string | null;
  /** The keys below this one; null: to the last of the table. */
  readonly before: string | null;
}

/** What a repair kept, and what it had to drop. */
export interface RepairReport {
  /** The generation that the new database was made of; null if no manifest was whole. */
  readonly generation: number | null;
  /** Tables in the new database. */
  readonly tables: number;
  /** Records in the new database, also those that have expired. */
  readonly records: number;
  /** What was damaged, and which records are lost by it; empty if nothing was. */
  readonly damage: readonly Damage[];
}

/** What a backup or a restore has written. */
export interface BackupReport {
  /** Tables, also those that are empty. */
  readonly tables: number;
  /** Records, also those that have expired and were not removed yet. */
  readonly records: number;
  /** Bytes of files. */
  readonly bytes: number;
}

/** What was removed of earlier generations. */
export interface PruneReport {
  /** Generations that can no longer be gone back to. */
  readonly generations: number;
  /** Files that only they needed. */
  readonly files: number;
  /** Bytes in these. */
  readonly bytes: number;
}
