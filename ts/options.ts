/**
 * The options of a database: what there is, what is assumed, what is refused.
 *
 * @module
 */
import { resolve } from 'node:path';
import { Dictionaries, type Dictionary } from './dictionary.ts';
import { CairnError } from './errors.ts';
import type { Level, OpenOptions } from './native.ts';
import { checkNames, describe, isOptionsObject, isWellFormed } from './validate.ts';

/**
 * When a write is acknowledged, and so what may take it away.
 *
 * - `eventual`: from memory. A crash of the process can take what was written in the last `flushInterval`.
 * - `os`: once the operating system has it. The death of the process takes nothing; a power cut at most what was written
 *   in the last `syncInterval`.
 * - `full`: once the disk has it. Nothing takes it. Concurrent writes share one sync.
 */
export type Durability = 'eventual' | 'os' | 'full';

/** Who may have a directory open at the same time, and for what. */
export type Access = 'exclusive' | 'shared' | 'readonly';

const ACCESSES: readonly Access[] = ['exclusive', 'shared', 'readonly'];
const INTEGRITIES: readonly Integrity[] = ['checksum', 'sha256'];

/** What a commit is checked by. */
export type Integrity = 'checksum' | 'sha256';

/** What `new CairnDB()` takes. */
export interface DatabaseOptions {
  /** The directory that is the database; made when it is missing. Relative to the working directory at this call. */
  readonly databaseDirectory: string;
  /** Dictionaries by name, as with {@link CairnDB.addDictionary}. */
  readonly dictionaries?: Readonly<Record<string, Dictionary>> | undefined;
  /** `true` is the same as `durability: 'full'`. Default false. */
  readonly durableWrites?: boolean | undefined;
  /** The level of every write that does not name its own. Default `os`. */
  readonly durability?: Durability | undefined;
  /** Milliseconds after which, at the latest, writes of level `os` are synced to disk. Default 1000. */
  readonly syncInterval?: number | undefined;
  /** Milliseconds after which, at the latest, writes of level `eventual` go to the operating system. Default 100. */
  readonly flushInterval?: number | undefined;
  /**
   * Milliseconds for which files that were replaced are kept, since a disk may acknowledge a sync that it has not done.
   * Default 10000.
   */
  readonly reclaimDelay?: number | undefined;
  /** Generations of the database that are kept, the present one included, however old. Default 1. */
  readonly keepGenerations?: number | undefined;
  /** Bytes of memory for recent writes, before they become files of their tables. At least 65536, default 64 MiB. */
  readonly memtableBytes?: number | undefined;
  /**
   * How many values are kept in memory as they were read, to be returned again. Objects and arrays come back frozen then,
   * and the same value more than once. Default 0.
   */
  readonly objectCache?: number | undefined;
  /** Whether files are mapped into memory. Switch it off on network file systems. Default true. */
  readonly mmap?: boolean | undefined;
  /**
   * Who may have the directory open at the same time. `exclusive`: this process alone, with all its worker threads; others
   * are refused. `shared`: any number of processes, which all have to say so; each sees at once what the others have
   * committed, synchronous reads too. Level `eventual` is `os` then, and there is no `objectCache`. Not for network file
   * systems. `readonly`: an existing database is only looked at, whoever else has it open. Nothing in the directory is
   * made, changed or locked. What is seen is the moment of `start()`: all that had reached the operating system before it,
   * and nothing later. Methods that write are rejected with `ERR_CAIRN_READONLY`. Default `exclusive`.
   */
  readonly access?: Access | undefined;
  /**
   * What a commit is checked by as long as it stands in the journal. `checksum`: XXH3, chained from commit to commit.
   * `sha256`: SHA-256 besides, which costs 35 bytes and the hashing. Table files and manifests have a SHA-256 always.
   * Default `checksum`.
   */
  readonly integrity?: Integrity | undefined;
}

/** What a database works with once its options are checked. */
export interface Settings {
  readonly directory: string;
  readonly dictionaries: Dictionaries;
  readonly objectCache: number;
  readonly open: OpenOptions;
}

const LEVELS: Readonly<Record<Durability, Level>> = { eventual: 0, os: 1, full: 2 };
const LEVEL_NAMES = Object.keys(LEVELS) as Durability[];

const NAMES: readonly (keyof DatabaseOptions)[] = [
  'databaseDirectory',
  'dictionaries',
  'durableWrites',
  'durability',
  'syncInterval',
  'flushInterval',
  'reclaimDelay',
  'keepGenerations',
  'memtableBytes',
  'objectCache',
  'mmap',
  'access',
  'integrity',
];

/** Checks the options of a database, and fills in what they leave out. Touches no disk. */
export function resolveOptions(options: unknown): Settings {
  if (!isOptionsObject(options)) {
    throw invalid(`Options are ${describe(options)}; give an object with databaseDirectory.`);
  }
  checkNames(options, NAMES, 'ERR_CAIRN_INVALID_OPTIONS', 'option');
  const { databaseDirectory, dictionaries } = options;
  const directory = resolveDirectory('databaseDirectory', databaseDirectory);
  if (dictionaries !== undefined && !isOptionsObject(dictionaries)) {
    throw invalid(`dictionaries are ${describe(dictionaries)}; give an object of dictionaries by name.`);
  }
  const access = accessOf(options);
  return {
    directory,
    dictionaries: new Dictionaries(dictionaries as Record<string, Dictionary> | undefined),
    objectCache: integer(options, 'objectCache', 0, 0, 2 ** 31),
    open: {
      durability: defaultLevel(options),
      syncInterval: number(options, 'syncInterval', 1000, 1),
      flushInterval: number(options, 'flushInterval', 100, 1),
      reclaimDelay: number(options, 'reclaimDelay', 10_000, 0),
      keepGenerations: integer(options, 'keepGenerations', 1, 1, 2 ** 32 - 1),
      memtableBytes: integer(options, 'memtableBytes', 64 * 1024 * 1024, 64 * 1024, 2 ** 40),
      mmap: boolean(options, 'mmap', true),
      shared: access === 'shared',
      readOnly: access === 'readonly',
      sha256: choice('integrity', options.integrity, INTEGRITIES) === 'sha256',
    },
  };
}

function accessOf(options: Record<string, unknown>): Access {
  const access = choice('access', options.access, ACCESSES) ?? 'exclusive';
  if (access === 'shared' && options.objectCache) {
    throw invalid('objectCache cannot know what other processes write; leave it out with access "shared".');
  }
  return access;
}

/** The absolute path of a directory. Resolved at once: a later process.chdir() must not make it another one. */
export function resolveDirectory(name: string, directory: unknown): string {
  if (typeof directory !== 'string' || directory === '') {
    throw invalid(`${name} is ${describe(directory)}; give the path of a directory.`);
  }
  if (directory.includes('\0') || !isWellFormed(directory)) {
    throw invalid(`${name} ${describe(directory)} contains characters that no path can have.`);
  }
  return resolve(directory);
}

/** The options of `CairnDB.open(directory, options)` as those of the constructor. */
export function optionsOfOpen(directory: string, options: unknown = {}): DatabaseOptions {
  if (!isOptionsObject(options)) throw invalid(`Options are ${describe(options)}; give an object.`);
  if (options.databaseDirectory !== undefined) {
    throw invalid('databaseDirectory is given twice; CairnDB.open() takes the directory as its first argument.');
  }
  return { ...options, databaseDirectory: directory };
}

/** The level that the options of a batch name. */
export function batchLevel(options: unknown = {}): Level | undefined {
  if (!isOptionsObject(options)) throw invalid(`The options of the batch are ${describe(options)}; give an object.`);
  checkNames(options, ['durability'], 'ERR_CAIRN_INVALID_OPTIONS', 'option of batch()');
  return levelOf(options.durability);
}

function defaultLevel(options: Record<string, unknown>): Level {
  const level = levelOf(options.durability);
  if (!boolean(options, 'durableWrites', false)) return level ?? LEVELS.os;
  if (level !== undefined && level !== LEVELS.full) {
    throw invalid(
      `durableWrites is the same as durability "full", but durability is ${describe(options.durability)}; give one.`,
    );
  }
  return LEVELS.full;
}

/** The level of that name; undefined stays undefined. */
export function levelOf(durability: unknown): Level | undefined {
  const name = choice('durability', durability, LEVEL_NAMES);
  return name === undefined ? undefined : LEVELS[name];
}

/** One of `choices`, or undefined. */
function choice<T extends string>(name: string, value: unknown, choices: readonly T[]): T | undefined {
  if (value === undefined || choices.includes(value as T)) return value as T | undefined;
  throw invalid(`${name} is ${describe(value)}; give one of ${choices.join(', ')}.`);
}

function boolean(options: Record<string, unknown>, name: keyof DatabaseOptions, fallback: boolean): boolean {
  const value = options[name] === undefined ? fallback : options[name];
  if (typeof value !== 'boolean') throw invalid(`${name} is ${describe(value)}; give true or false.`);
  return value;
}

function number(
  options: Record<string, unknown>,
  name: keyof DatabaseOptions,
  fallback: number,
  least: number,
): number {
  const value = options[name] === undefined ? fallback : options[name];
  if (typeof value === 'number' && Number.isFinite(value) && value >= least) return value;
  throw invalid(`${name} is ${describe(value)}; give a finite number of at least ${least}.`);
}

function integer(
  options: Record<string, unknown>,
  name: keyof DatabaseOptions,
  fallback: number,
  least: number,
  most: number,
): number {
  const value = number(options, name, fallback, least);
  if (Number.isInteger(value) && value <= most) return value;
  throw invalid(`${name} is ${value}; give a whole number from ${least} to ${most}.`);
}

function invalid(message: string): CairnError {
  return new CairnError('ERR_CAIRN_INVALID_OPTIONS', message);
}
