/**
 * The files of Persistency, which are only read: by position, and never more of them than is asked for.
 *
 * @module
 */
import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { CairnError, type ErrorCode } from '../errors.ts';
import { MAGIC } from './format.ts';

export const ENTRIES_FILE = 'entries.db';
export const DATA_FILE = 'data.db';

/** A file, up to the length that it had when it was opened. */
export class Source {
  readonly path: string;
  readonly size: number;
  readonly #file: number;
  readonly #modified: number;

  constructor(path: string) {
    this.path = path;
    this.#file = openSync(path, 'r');
    const { size, mtimeMs } = fstatSync(this.#file);
    this.size = size;
    this.#modified = mtimeMs;
  }

  /** What stands at `position`: `length` bytes, or fewer where the file ends. */
  read(position: number, length: number): Buffer {
    const bytes = Buffer.allocUnsafe(Math.max(0, Math.min(length, this.size - position)));
    for (let at = 0; at < bytes.length; ) {
      const read = readSync(this.#file, bytes, at, bytes.length - at, position + at);
      if (read === 0) throw this.#changed();
      at += read;
    }
    return bytes;
  }

  /** The same in pieces of at most `most` bytes. */
  *pieces(position: number, length: number, most: number): Generator<Buffer, void, void> {
    const end = Math.min(position + length, this.size);
    for (let at = position; at < end; at += most) yield this.read(at, Math.min(most, end - at));
  }

  checkUnchanged(): void {
    const { size, mtimeMs } = fstatSync(this.#file);
    if (size !== this.size || mtimeMs !== this.#modified) throw this.#changed();
  }

  close(): void {
    closeSync(this.#file);
  }

  #changed(): CairnError {
    const message = `${this.path} changed while it was being read. Stop the program that writes to it, and try again.`;
    return new CairnError('ERR_CAIRN_IO', message, { path: this.path });
  }
}

/** Both files of a folder. */
export interface Originals {
  readonly entries: Source;
  readonly data: Source;
}

/** Opens the files of `folder`; `undefined` if there are none, or one alone that holds nothing. */
export function openOriginals(folder: string): Originals | undefined {
  const opened: Source[] = [];
  const open = (name: string, notOurs: string): Source | undefined => {
    const path = join(folder, name);
    if (!existsSync(path)) return undefined;
    const source = new Source(path);
    opened.push(source);
    const isOurs = source.size === 0 || source.read(0, MAGIC.length).equals(MAGIC);
    if (!isOurs) throw errorOfOriginal('ERR_CAIRN_DIRECTORY', notOurs, path);
    return source;
  };
  try {
    const data = open(DATA_FILE, 'Data file is not a persistency one');
    const entries = open(ENTRIES_FILE, 'Entries file is not a persistency one');
    if (data !== undefined && entries !== undefined) return { entries, data };
    checkEmpty(entries, DATA_FILE);
    checkEmpty(data, ENTRIES_FILE);
  } catch (error) {
    for (const source of opened) source.close();
    throw error;
  }
  for (const source of opened) source.close();
  return undefined;
}

/** One file without the other says nothing; that must not pass for an empty store. */
function checkEmpty(source: Source | undefined, missing: string): void {
  if (source === undefined || source.size <= MAGIC.length) return;
  const message = `${source.path} has data, but ${missing} is missing beside it. Put it there, or move both away.`;
  throw new CairnError('ERR_CAIRN_DIRECTORY', message, { path: source.path });
}

/** An error with the class and the text that Persistency gives it, and a code besides. */
export function errorOfOriginal(code: ErrorCode, message: string, path?: string): Error {
  return Object.assign(new Error(message), path === undefined ? { code } : { code, path });
}
