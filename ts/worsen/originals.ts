/**
 * The files of worsen: a store and its backup, each one zlib stream of JSON, and a lock. They are only read.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';
import { CairnError } from '../errors.ts';
import { fingerprintOf, type RefusedFile, type TakeoverReport } from '../takeover.ts';
import { isOptionsObject } from '../validate.ts';

export const SYSTEM = 'worsen';
/** One lock for all stores of a directory. */
export const LOCK_FILE = 'store.lock';

/** The file of a store, its backup, and the backup under the name that the README of worsen gives it. */
export function filesOf(name: string): readonly [store: string, backup: string, documentedBackup: string] {
  return [`${name}.store.db`, `${name}.cache.store.db`, `${name}.cache.db`];
}

/** What there is to take over, and what the report will say. */
export interface Originals extends Content {
  readonly report: TakeoverReport;
}

interface Content {
  readonly appState: object;
  readonly records: readonly (readonly [uid: string, data: unknown])[];
}

interface File {
  readonly name: string;
  readonly bytes: Buffer;
}

/**
 * Reads the store `name` in `directory`, or its backup if that is damaged or missing; `undefined` if there is neither.
 *
 * @throws {@link CairnError} `ERR_CAIRN_LOCKED` if a living process holds the lock; `ERR_CAIRN_CORRUPT` if every file is
 * damaged; `ERR_CAIRN_IO` if one cannot be read
 */
export function readOriginals(directory: string, name: string): Originals | undefined {
  const found = filesOf(name).flatMap((file) => {
    const bytes = read(join(directory, file));
    return bytes === undefined ? [] : [{ name: file, bytes }];
  });
  if (found.length === 0) return undefined;
  const lock = lockOf(directory);
  const damaged: RefusedFile[] = [];
  for (const [index, file] of found.entries()) {
    const content = parse(file.bytes);
    if (typeof content !== 'string') {
      const { files, refused } = reportOn(file, found.slice(index + 1), content.records.length);
      return { ...content, report: { system: SYSTEM, files, refused: [...damaged, ...refused, ...lock] } };
    }
    damaged.push({ name: file.name, why: `It is damaged: ${content}.` });
  }
  throw allDamaged(directory, damaged);
}

/** What becomes of the file that is taken over and the backups behind it. One that is equal is taken over with it. */
function reportOn({ name, bytes }: File, backups: readonly File[], records: number): Omit<TakeoverReport, 'system'> {
  const isCopy = (backup: File) => backup.bytes.equals(bytes);
  return {
    files: [
      { name, ...fingerprintOf(bytes), records },
      ...backups.filter(isCopy).map((copy) => ({ name: copy.name, ...fingerprintOf(bytes), records: 0 })),
    ],
    refused: backups
      .filter((backup) => !isCopy(backup))
      .map((other) => ({
        name: other.name,
        why: `It is a backup that is not the same as ${name}, which was taken over.`,
      })),
  };
}

/** The content of a file, or what is wrong with it. */
function parse(bytes: Buffer): Content | string {
  let content: unknown;
  try {
    content = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(inflateSync(bytes)));
  } catch (error) {
    return `it is not JSON in a zlib stream, as worsen writes it (${(error as Error).message})`;
  }
  if (!isOptionsObject(content) || !isOptionsObject(content.data)) return 'its JSON has no object "data"';
  const { data, app_state: appState = {} } = content;
  if (!isOptionsObject(appState)) return 'its "app_state" is no object';
  return { appState, records: Object.entries(data) };
}

/**
 * What the report says of a lock that nobody holds. The holder is dead if there is no process of its number; and if it is
 * this one's, since what a container starts has the same number each time.
 */
function lockOf(directory: string): RefusedFile[] {
  const path = join(directory, LOCK_FILE);
  const text = read(path)?.toString();
  if (text === undefined) return [];
  const holder = holderOf(text);
  if (holder !== undefined && holder !== process.pid && isAlive(holder)) {
    const message = `${path} is held by process ${holder}. Stop it if it uses worsen; if it does not, remove the file.`;
    throw new CairnError('ERR_CAIRN_LOCKED', message, { path });
  }
  const who = holder === undefined ? 'a process that it does not name' : `process ${holder}, which has ended`;
  return [{ name: LOCK_FILE, why: `It was left by ${who}. Nothing needs it any more; you can remove it.` }];
}

function holderOf(text: string): number | undefined {
  try {
    const { pid } = JSON.parse(text);
    return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    // A process that was killed before it had written the file leaves it empty.
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // It is there, and of another user.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function read(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new CairnError('ERR_CAIRN_IO', `Cannot read ${path}: ${message}`, { path, cause });
  }
}

function allDamaged(directory: string, damaged: readonly RefusedFile[]): CairnError {
  const list = damaged.map(({ name, why }) => `${name}: ${why}`).join(' ');
  const advice = 'Restore one of them from a copy, or move them away to begin with an empty store.';
  const message = `No file of the store in ${directory} can be read. ${list} ${advice}`;
  return new CairnError('ERR_CAIRN_CORRUPT', message, { path: join(directory, damaged[0]?.name ?? '') });
}
