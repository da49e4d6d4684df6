/**
 * Taking over the files of dskvs: `<collection>/<file>` in the directory of the store, a file for each member.
 *
 * @module
 */
import type { Dirent } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CairnDB } from '../database.ts';
import { CairnError } from '../errors.ts';
import {
  beginTakeover,
  dueTakeover,
  fingerprintOf,
  finishTakeover,
  HOME,
  type RefusedFile,
  readTakeover,
  type TakenFile,
} from '../takeover.ts';
import { FileError } from './errors.ts';
import { keyOfMember, tableOfCollection } from './keys.ts';
import { parsePage } from './page.ts';

export const SYSTEM = 'dskvs';

/**
 * Takes over what dskvs wrote in `directory`, unless that was done before. `db` is the open database in it, whose lock
 * keeps other processes out. Files that are damaged, or no files of dskvs, are reported and left alone; one that cannot
 * be read is an error (`ERR_CAIRN_IO`), and then nothing was taken over.
 */
export async function takeOver(db: CairnDB, directory: string): Promise<void> {
  const found = readTakeover(db.directory, SYSTEM);
  const due = dueTakeover(found, db.listTables());
  if (due === undefined) return;
  for (const table of due.drop) await db.deleteTable(table);
  const collections = await collectionsIn(directory);
  // One that was begun has to end, even if there is nothing left: else its tables would be dropped once more.
  if (collections.length === 0 && found === undefined) return;
  beginTakeover(db.directory, SYSTEM, collections.map(tableOfCollection));
  const files: TakenFile[] = [];
  const refused: RefusedFile[] = [];
  for (const collection of collections) {
    for (const entry of await entriesOf(join(directory, collection))) {
      const name = `${collection}/${entry.name}`;
      try {
        files.push({ name, ...(await takeFile(db, directory, collection, entry)), records: 1 });
      } catch (error) {
        if (!(error instanceof FileError)) throw error;
        refused.push({ name, why: error.message });
      }
    }
  }
  await db.flush();
  finishTakeover(db.directory, { system: SYSTEM, files, refused });
}

async function collectionsIn(directory: string): Promise<string[]> {
  const entries = await entriesOf(directory);
  return entries.filter((entry) => entry.isDirectory() && entry.name !== HOME).map(({ name }) => name);
}

/** Writes the record that is in a file. */
async function takeFile(db: CairnDB, directory: string, collection: string, entry: Dirent) {
  const path = join(directory, collection, entry.name);
  if (!entry.isFile()) throw new FileError('It is no regular file', path);
  const bytes = await reading(path, () => readFile(path));
  const { member, value } = parsePage(bytes, entry.name, path);
  try {
    await db.write(tableOfCollection(collection), keyOfMember(member), value, { ifVersion: 0, durability: 'eventual' });
  } catch (error) {
    if (!(error instanceof CairnError && error.code === 'ERR_CAIRN_CONFLICT')) throw error;
    throw new FileError('Another file has the same member', path);
  }
  return fingerprintOf(bytes);
}

function entriesOf(path: string): Promise<Dirent[]> {
  return reading(path, () => readdir(path, { withFileTypes: true }));
}

async function reading<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    throw new CairnError('ERR_CAIRN_IO', `Cannot read ${path}: ${(cause as Error).message}`, { path, cause });
  }
}
