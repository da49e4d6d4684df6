/**
 * A file that is there under its name once all of it is on the disk, and not before.
 *
 * @module
 */
import { type FileHandle, open, rename, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CairnError } from '../../errors.ts';

/** So much is gathered before it is written, in characters. */
const BUFFER = 256 * 1024;

/** Lets `write` write a file under another name beside `path`; renames it when that is done, and else removes it. */
export async function writeFileWhole<T>(
  path: string,
  write: (sink: (text: string) => Promise<void>) => Promise<T>,
): Promise<T> {
  await checkTarget(path);
  const temporary = `${path}.${process.pid}.part`;
  const file = await translatedIo(path, () => open(temporary, 'wx', 0o666));
  try {
    const result = await filled(path, file, write);
    await translatedIo(path, () => rename(temporary, path));
    await syncDirectory(dirname(path));
    return result;
  } catch (error) {
    await unlink(temporary);
    throw error;
  }
}

async function filled<T>(path: string, file: FileHandle, write: (sink: (text: string) => Promise<void>) => Promise<T>) {
  let waiting = '';
  const flush = async () => {
    const text = waiting;
    waiting = '';
    if (text !== '') await translatedIo(path, () => file.writeFile(text));
  };
  try {
    const result = await write(async (text) => {
      waiting += text;
      if (waiting.length >= BUFFER) await flush();
    });
    await flush();
    await translatedIo(path, () => file.sync());
    return result;
  } finally {
    await file.close();
  }
}

/** A device or a directory cannot be replaced by a file. */
async function checkTarget(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined || found.isFile()) return;
  const what = found.isDirectory() ? 'a directory' : 'no regular file';
  throw new CairnError('ERR_CAIRN_IO', `${path} is ${what}; name a file, or leave --output out for standard output.`, {
    path,
  });
}

/** Brings the name to the disk. Windows has no such call. */
async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

async function translatedIo<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw new CairnError('ERR_CAIRN_IO', `Cannot write ${path}: ${(cause as Error).message}`, { path, cause });
  }
}
