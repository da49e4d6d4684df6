/**
 * What keeps a database sound and small: checking, compacting, repairing, backups. Most of it takes long, can be watched,
 * and can be stopped.
 *
 * @module
 */
import { CairnError, fromNative } from './errors.ts';
import type { Lifecycle } from './lifecycle.ts';
import { type NativeHandle, type NativeProgress, native } from './native.ts';
import { resolveDirectory } from './options.ts';
import type { BackupReport, DatabaseStats, PruneReport, RepairReport, VerifyReport } from './reports.ts';
import { checkNames, describe, isOptionsObject } from './validate.ts';

/** How far long work has come. */
export interface Progress {
  /** Bytes that are done: never fewer than before. */
  readonly done: number;
  /** Bytes that there are to do, those that are read back after they were written among them. */
  readonly total: number;
}

/** What long work is watched and stopped by. */
export interface LongWorkOptions {
  /**
   * Called at most ten times a second while the work goes on, and once when it has succeeded, with `done` equal to `total`.
   * If it throws the work is stopped, and rejects with what was thrown.
   */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Stops the work, which rejects with the signal's reason and leaves no half result. */
  readonly signal?: AbortSignal | undefined;
}

/** Milliseconds between two calls of `onProgress`. */
const INTERVAL = 100;

/** The part of {@link CairnDB} that is not about single records. */
export abstract class Upkeep {
  readonly #lifecycle: Lifecycle;

  constructor(lifecycle: Lifecycle) {
    this.#lifecycle = lifecycle;
  }

  /**
   * Writes a new database to `target`, a directory that is missing or empty, of all that can be proved good in the
   * damaged one in `source`. The source is only read, and must not be in use. Resolves to what was lost.
   *
   * Of a record whose newest version is lost an older one is kept, if it is there. A table whose name is lost is called
   * `recovered-` and its number. Runs in the background.
   *
   * Rejects with `ERR_CAIRN_INVALID_OPTIONS`, `ERR_CAIRN_DIRECTORY`, `ERR_CAIRN_LOCKED`, `ERR_CAIRN_FORMAT`,
   * `ERR_CAIRN_FULL` or `ERR_CAIRN_IO`; then `target` is empty. Damage is no error.
   *
   * @example
   * ```ts
   * const { records, damage } = await CairnDB.repair('./data', './data-repaired');
   * for (const { path, what, table, keys } of damage) console.log(path, what, table, keys);
   * ```
   */
  static async repair(source: string, target: string, options?: LongWorkOptions): Promise<RepairReport> {
    const paths = [resolveDirectory('source', source), resolveDirectory('target', target)] as const;
    return watched(options, (progress) => native.repair(...paths, progress));
  }

  /**
   * Writes what is in the backup in `source` to `target`, a directory that is missing or empty, as a new database. All of
   * the backup is checked, and nothing in it is changed; it may be on a medium that cannot be written to.
   *
   * Rejects with `ERR_CAIRN_CORRUPT` if anything in the backup is damaged ({@link repair} keeps the rest of it), with
   * `ERR_CAIRN_DIRECTORY` if there is none, or one that was interrupted, and also with `ERR_CAIRN_INVALID_OPTIONS`,
   * `ERR_CAIRN_LOCKED`, `ERR_CAIRN_FORMAT`, `ERR_CAIRN_FULL` or `ERR_CAIRN_IO`. Then `target` is empty.
   *
   * @example
   * ```ts
   * await CairnDB.restore('./backups/monday', './data');
   * ```
   */
  static async restore(source: string, target: string, options?: LongWorkOptions): Promise<BackupReport> {
    const paths = [resolveDirectory('source', source), resolveDirectory('target', target)] as const;
    return watched(options, (progress) => native.restore(...paths, progress));
  }

  /**
   * Writes a copy of the database, as it is at one moment, to `target`, a directory that is missing or empty and not in
   * this database's. All that was written before the call is in it. Reads and writes go on meanwhile, also those of other
   * processes, and what comes after the moment is not. What is written is read back, and is on the disk when this resolves.
   * The copy is a database of its own, to be opened or restored.
   *
   * Rejects with `ERR_CAIRN_DIRECTORY` if the target is not empty, with `ERR_CAIRN_CORRUPT` if a record is damaged, and
   * also with `ERR_CAIRN_INVALID_OPTIONS`, `ERR_CAIRN_CLOSED`, `ERR_CAIRN_LOCKED`, `ERR_CAIRN_FULL` or `ERR_CAIRN_IO`. Then
   * `target` is empty. One that a crash has interrupted is no database, and refused as what it is.
   *
   * @example
   * ```ts
   * const { records, bytes } = await db.backup('./backups/monday', {
   *   onProgress: ({ done, total }) => console.log(`${done} of ${total} bytes`),
   *   signal: AbortSignal.timeout(60_000),
   * });
   * ```
   */
  async backup(target: string, options?: LongWorkOptions): Promise<BackupReport> {
    const directory = resolveDirectory('target', target);
    return watched(options, (progress) => this.#handle().backup(directory, progress));
  }

  /**
   * Removes all generations but the `keep` newest at once, the present one included, without waiting for `reclaimDelay`.
   * What somebody still reads goes later. Resolves to what was removed.
   */
  async prune(options: { readonly keep: number }): Promise<PruneReport> {
    const keep = keepOf(options);
    return watched(undefined, () => this.#handle().prune(keep));
  }

  /**
   * Rewrites the tables without what was overwritten, deleted or has expired. Reads and writes go on meanwhile. Stopped, it
   * leaves some tables rewritten, and the others as they were.
   */
  async compact(options?: LongWorkOptions): Promise<void> {
    await watched(options, (progress) => this.#handle().compact(progress));
  }

  /** Reads everything on disk, and checks it. Resolves to a report; its `damage` is empty if all is well. */
  async verify(options?: LongWorkOptions): Promise<VerifyReport> {
    return watched(options, (progress) => this.#handle().verify(progress));
  }

  /** Counts and sizes of the database, and what they cost: write, space and read amplification. */
  async stats(): Promise<DatabaseStats> {
    return watched(undefined, async () => this.#handle().stats());
  }

  #handle(): NativeHandle {
    return this.#lifecycle.session.handle;
  }
}

/** What `work` resolves to, watched and stopped as the options say. */
async function watched<T>(options: unknown, work: (progress: NativeProgress) => Promise<T>): Promise<T> {
  const { onProgress, signal } = checkOptions(options);
  signal?.throwIfAborted();
  const progress = new native.Progress();
  const failures: unknown[] = [];
  const report = () => {
    try {
      onProgress?.({ done: progress.done, total: progress.total });
    } catch (error) {
      failures.push(error);
      progress.cancel();
    }
  };
  const reportIfKnown = () => {
    if (progress.total > 0 && failures.length === 0) report();
  };
  const cancel = () => progress.cancel();
  signal?.addEventListener('abort', cancel);
  // The work itself keeps the process going, as long as there is any.
  const timer = onProgress && setInterval(reportIfKnown, INTERVAL).unref();
  try {
    const result = await work(progress);
    if (failures.length === 0) report();
    if (failures.length === 0) return result;
  } catch (error) {
    const failure = fromNative(error);
    if ((failure.code as string) !== CANCELLED) throw failure;
    if (failures.length === 0) throw signal?.reason;
  } finally {
    clearInterval(timer);
    signal?.removeEventListener('abort', cancel);
  }
  throw failures[0];
}

/** What the engine calls work that was stopped. Whoever stopped it gets his own reason. */
const CANCELLED = 'ERR_CAIRN_CANCELLED';

function checkOptions(options: unknown = {}): LongWorkOptions {
  if (!isOptionsObject(options)) throw invalid(`Options are ${describe(options)}; give an object.`);
  checkNames(options, ['onProgress', 'signal'], 'ERR_CAIRN_INVALID_OPTIONS', 'option');
  const { onProgress, signal } = options;
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw invalid(`onProgress is ${describe(onProgress)}; give a function.`);
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw invalid(`signal is ${describe(signal)}; give an AbortSignal.`);
  }
  return options as LongWorkOptions;
}

function keepOf(options: unknown): number {
  if (!isOptionsObject(options)) throw invalid(`Options are ${describe(options)}; give an object with keep.`);
  checkNames(options, ['keep'], 'ERR_CAIRN_INVALID_OPTIONS', 'option of prune()');
  const { keep } = options;
  if (Number.isInteger(keep) && (keep as number) >= 1 && (keep as number) < 2 ** 32) return keep as number;
  throw invalid(`keep is ${describe(keep)}; give how many generations to keep, at least 1.`);
}

function invalid(message: string): CairnError {
  return new CairnError('ERR_CAIRN_INVALID_OPTIONS', message);
}
