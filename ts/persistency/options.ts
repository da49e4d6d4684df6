/**
 * What the constructor takes.
 *
 * @module
 */
import { CairnError } from '../errors.ts';
import type { OpenOptions } from '../native.ts';
import { resolveOptions } from '../options.ts';
import { checkNames, describe, isOptionsObject } from '../validate.ts';
import { errorOfOriginal } from './originals.ts';

/** What `new Persistency()` takes. */
export interface PersistencyOptions {
  /** The folder of the store, which must exist. The database is in `.cairndb` in it. */
  readonly folder: string;
  /**
   * Milliseconds for which files that were replaced are kept. 0 or less: they go at once. Default 900000, which are 15
   * minutes.
   */
  readonly reclaimDelay?: number | undefined;
  /** The older name of `reclaimDelay`, which is used if that is not given. */
  readonly reclaimTimeout?: number | undefined;
}

/** What a store works with once its options are checked. */
export interface Settings {
  readonly folder: string;
  readonly reclaimDelay: number;
}

const NAMES: readonly (keyof PersistencyOptions)[] = ['folder', 'reclaimDelay', 'reclaimTimeout'];
const DEFAULT_RECLAIM_DELAY = 15 * 60 * 1000;

/** Checks the arguments of the constructor. Touches no disk. */
export function resolveArguments(options: unknown, context: unknown): Settings {
  if (!isOptionsObject(options) || !options.folder)
    throw errorOfOriginal('ERR_CAIRN_INVALID_OPTIONS', 'Invalid folder');
  checkNames(options, NAMES, 'ERR_CAIRN_INVALID_OPTIONS', 'option of Persistency');
  const { folder, reclaimDelay, reclaimTimeout } = options;
  if (typeof folder !== 'string') throw invalid(`folder is ${describe(folder)}; give the path of a directory.`);
  if (context !== undefined) {
    throw invalid(
      'A second argument is given. There is no clock and no file system to be replaced here; leave it out.',
    );
  }
  return { folder, reclaimDelay: delayOf(reclaimDelay ?? reclaimTimeout ?? DEFAULT_RECLAIM_DELAY) };
}

function delayOf(delay: unknown): number {
  if (typeof delay !== 'number' || Number.isNaN(delay)) {
    throw invalid(`reclaimDelay is ${describe(delay)}; give milliseconds.`);
  }
  return Math.max(0, delay);
}

/** The settings of the engine: its own, but for the delay. */
export function engineOptions(home: string, reclaimDelay: number): OpenOptions {
  const { open } = resolveOptions({ databaseDirectory: home, durability: 'full', integrity: 'sha256' });
  return { ...open, reclaimDelay };
}

function invalid(message: string): CairnError {
  return new CairnError('ERR_CAIRN_INVALID_OPTIONS', message);
}
