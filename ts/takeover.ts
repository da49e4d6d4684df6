/**
 * Taking over what another store wrote, so that a kill at any moment leaves all of it taken over or all of it still to do.
 *
 * Beside the database stands `takeover.json`, which is replaced as a whole. While it says `running`, the tables that it
 * names are half there at most: whoever finds it drops them and begins again. It says `done` once everything is on the
 * disk, and from then on the database is the truth and nothing in it is dropped. The originals are only read, until
 * {@link removeOriginals} is asked for.
 *
 * A drop-in opens its database first, whose lock keeps other processes out, and takes its turn, which keeps other openings
 * of this process waiting. And then:
 *
 * ```ts
 * const found = readTakeover(home, 'pikodb');
 * const due = dueTakeover(found, db.listTables());
 * if (due !== undefined) {
 *   for (const table of due.drop) await db.deleteTable(table);
 *   beginTakeover(home, 'pikodb', tables); // the names of all tables that may be written now
 *   // write the records, and flush them to the disk
 *   finishTakeover(home, { system: 'pikodb', files, refused });
 * }
 * ```
 *
 * @module
 */
import { createHash } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { CairnError } from './errors.ts';

/**
 * Where a drop-in keeps its database, in the directory of the original: PikoDB takes every other name there for a table,
 * but passes over those that begin like this.
 */
export const HOME = '.cairndb';

const FILE = 'takeover.json';
const FORMAT = 1;
const CHUNK_BYTES = 1024 * 1024;

/** What a file is known by: it has not been changed as long as both are the same. */
export interface Fingerprint {
  /** Bytes. */
  readonly size: number;
  /** Of its content, in hexadecimal digits. */
  readonly sha256: string;
}

/** A file of the original store whose records are in the database now. */
export interface TakenFile extends Fingerprint {
  /** Its path in the directory of the original, with `/` between the parts. */
  readonly name: string;
  /** How many records came from it, expired ones too. */
  readonly records: number;
}

/** A file that was found and left alone. */
export interface RefusedFile {
  /** Its path in the directory of the original, with `/` between the parts. */
  readonly name: string;
  /** What is wrong with it, and what to do. */
  readonly why: string;
}

/** What a take-over found. */
export interface TakeoverReport {
  /** The store that wrote the files, in lower case: `pikodb`. */
  readonly system: string;
  /** What was taken over. */
  readonly files: readonly TakenFile[];
  /** What was not, and stays as it is. */
  readonly refused: readonly RefusedFile[];
}

/** What {@link removeOriginals} did. */
export interface Removal {
  /** The names of the files that are not there any more. */
  readonly removed: readonly string[];
  /** The files that were left, and why. */
  readonly kept: readonly RefusedFile[];
}

/** What `takeover.json` says. */
export interface TakeoverState extends TakeoverReport {
  readonly state: 'running' | 'done';
  /** While it is running: the tables that are being written. */
  readonly tables: readonly string[];
  /** Whether there was one before, that was done: `files` and `refused` are its report while this one is running. */
  readonly again: boolean;
}

/**
 * What the database in `home` knows of a take-over of `system`; `undefined` if there was none.
 *
 * @throws {@link CairnError} `ERR_CAIRN_CORRUPT` if `takeover.json` cannot be understood, or is of another system;
 * `ERR_CAIRN_FORMAT` if a newer version wrote it; `ERR_CAIRN_IO` if it cannot be read. It is never taken for absent: then
 * a take-over would begin again over newer records.
 */
export function readTakeover(home: string, system: string): TakeoverState | undefined {
  const path = join(home, FILE);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw ioError(path, 'read', error);
  }
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw damaged(path, 'is not JSON', error);
  }
  return stateOf(path, content, system);
}

/** The report of a take-over of `system` into the database in `home`; `undefined` if there was none, or not all of it. */
export function reportOf(home: string, system: string): TakeoverReport | undefined {
  const found = readTakeover(home, system);
  return found?.state === 'done' ? { system, files: found.files, refused: found.refused } : undefined;
}

/**
 * Whether there is something to take over, where the database has these tables: then `drop` is what a killed attempt
 * left. Tables without a `takeover.json` are a database of their own, and nothing is taken over into it.
 */
export function dueTakeover(
  found: TakeoverState | undefined,
  tables: readonly string[],
): { readonly drop: readonly string[] } | undefined {
  if (found === undefined) return tables.length === 0 ? { drop: [] } : undefined;
  return found.state === 'running' ? { drop: tables.filter((table) => found.tables.includes(table)) } : undefined;
}

/**
 * Says on the disk that `tables` are being written. None of them may be in the database. With `before`, the report of one
 * that was done, this is another one, of files that were refused then.
 */
export function beginTakeover(home: string, system: string, tables: readonly string[], before?: TakeoverReport): void {
  const { files, refused } = before ?? { files: [], refused: [] };
  store(home, { state: 'running', system, tables, again: before !== undefined, files, refused });
}

/** Says on the disk that all is taken over. Everything that was written has to be on the disk before. */
export function finishTakeover(home: string, { system, files, refused }: TakeoverReport): void {
  store(home, { state: 'done', system, tables: [], again: false, files, refused });
}

/** The fingerprint of bytes that were read. */
export function fingerprintOf(bytes: Uint8Array): Fingerprint {
  return { size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
}

/** The fingerprint of a file, of any size. */
export function fingerprintOfFile(path: string): Fingerprint {
  const hash = createHash('sha256');
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  const file = openSync(path, 'r');
  try {
    for (let size = 0; ; ) {
      const read = readSync(file, chunk);
      if (read === 0) return { size, sha256: hash.digest('hex') };
      hash.update(chunk.subarray(0, read));
      size += read;
    }
  } finally {
    closeSync(file);
  }
}

/**
 * Deletes the files in `directory` that were taken over and are still what they were then. What has changed since is
 * left, and named with the reason: its new content is in no database.
 */
export function removeOriginals(directory: string, { files }: TakeoverReport): Removal {
  const removed: string[] = [];
  const kept: RefusedFile[] = [];
  const folders = new Set<string>();
  for (const file of files) {
    const path = join(directory, file.name);
    try {
      const why = changeOf(path, file);
      if (why !== undefined) {
        kept.push({ name: file.name, why });
        continue;
      }
      unlinkSync(path);
      folders.add(dirname(path));
      removed.push(file.name);
    } catch (error) {
      if (hasCode(error, 'ENOENT')) removed.push(file.name);
      else kept.push({ name: file.name, why: `It cannot be removed: ${messageOf(error)}` });
    }
  }
  for (const folder of folders) syncDirectory(folder);
  return { removed, kept };
}

/** What has become of a file since it was taken over; `undefined`: nothing. */
function changeOf(path: string, taken: Fingerprint): string | undefined {
  const { size } = statSync(path);
  if (size === taken.size && fingerprintOfFile(path).sha256 === taken.sha256) return undefined;
  return 'It has changed since it was taken over, and the database does not have the change. Look at it yourself.';
}

/** Replaces `takeover.json` so that a crash leaves the old one or the new one. */
function store(home: string, state: TakeoverState): void {
  const path = join(home, FILE);
  const temporary = `${path}.new`;
  try {
    const file = openSync(temporary, 'w', 0o600);
    try {
      writeFileSync(file, `${JSON.stringify({ format: FORMAT, ...state }, null, 2)}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
    syncDirectory(home);
  } catch (error) {
    throw ioError(path, 'write', error);
  }
}

/** Brings names to the disk. Windows has no such call. */
function syncDirectory(path: string): void {
  if (process.platform === 'win32') return;
  const directory = openSync(path, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

function stateOf(path: string, content: unknown, system: string): TakeoverState {
  if (!isObject(content)) throw damaged(path, 'is not an object');
  const { format, state, tables, again, files, refused } = content;
  if (typeof format === 'number' && format > FORMAT) {
    throw new CairnError('ERR_CAIRN_FORMAT', `${path} was written by a newer version of CairnDB; use that one.`, {
      path,
    });
  }
  if (content.system !== system) throw damaged(path, `is not of a take-over of ${system}`);
  const sound =
    format === FORMAT &&
    (state === 'running' || state === 'done') &&
    typeof again === 'boolean' &&
    isList(tables, (table): table is string => typeof table === 'string') &&
    isList(files, isTakenFile) &&
    isList(refused, isRefusedFile);
  if (!sound) throw damaged(path, 'lacks what it has to say');
  return { state, system, tables, again, files, refused };
}

function isTakenFile(item: unknown): item is TakenFile {
  if (!isObject(item)) return false;
  const { name, size, sha256, records } = item;
  return (
    isInside(name) && isCount(size) && isCount(records) && typeof sha256 === 'string' && /^[0-9a-f]{64}$/.test(sha256)
  );
}

function isRefusedFile(item: unknown): item is RefusedFile {
  return isObject(item) && typeof item.name === 'string' && typeof item.why === 'string';
}

/** Whether a name stays in the directory that it is looked up in: what is removed must not lie elsewhere. */
function isInside(name: unknown): name is string {
  return typeof name === 'string' && name.split('/').every((part) => !['', '.', '..'].includes(part));
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isList<T>(value: unknown, is: (item: unknown) => item is T): value is T[] {
  return Array.isArray(value) && value.every(is);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function damaged(path: string, problem: string, cause?: unknown): CairnError {
  const advice =
    'Restore the file from a backup, or move the directory that it is in away to take the originals over anew.';
  return new CairnError('ERR_CAIRN_CORRUPT', `${path} ${problem}. ${advice}`, { path, cause });
}

function ioError(path: string, action: 'read' | 'write', cause: unknown): CairnError {
  return new CairnError('ERR_CAIRN_IO', `Cannot ${action} ${path}: ${messageOf(cause)}`, { path, cause });
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === code;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
