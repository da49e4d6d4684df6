/**
 * A database of lmdb-js as a source, decoded as that package does by default.
 *
 * @module
 */
import { describe } from '../../../validate.ts';
import { InputError, type MovingRecord, PAGE_RECORDS, type Page, type Source, unreadable } from '../record.ts';
import { installed } from './installed.ts';

export interface LmdbOptions {
  readonly table: string;
  /** The name that the database was opened with inside of the file; none: the root. */
  readonly database: string | undefined;
}

interface LmdbDatabase {
  getKeys(): Iterable<unknown>;
  getRange(): Iterable<{ key: unknown; value: unknown }>;
  getBinary(key: unknown): Uint8Array | undefined;
  openDB(options: object): LmdbDatabase | undefined;
  close(): Promise<void>;
}

export function lmdbSource(path: string, options: LmdbOptions): Source {
  return { total: 0, pages: pages(path, options), notices: [] };
}

async function* pages(path: string, { table, database }: LmdbOptions): AsyncGenerator<Page, void, void> {
  const { module } = await installed(['lmdb'], 'An LMDB database');
  const root = opened(path, module as { open(options: object): LmdbDatabase });
  try {
    const db = database === undefined ? root : root.openDB({ name: database });
    if (db === undefined)
      throw new InputError(`${path} has no database ${describe(database)}; give another --database.`);
    if (database === undefined) checkRoot(path, root);
    const place = () => path;
    let numbers = false;
    let changes: ({ readonly type: 'put' } & MovingRecord)[] = [];
    for (const { key, value } of db.getRange()) {
      const text = keyOf(path, key);
      // Numbers come before texts, so that it is known by then whether a text could be one of them.
      if (numbers && typeof key === 'string' && String(Number(key)) === key) {
        throw unreadable(
          path,
          `it has numbers for keys, and the text ${describe(key)} would be the same key as one`,
          '',
        );
      }
      numbers ||= typeof key === 'number';
      changes.push({ type: 'put', table, key: text, value });
      if (changes.length < PAGE_RECORDS) continue;
      yield { changes, place, done: 0 };
      changes = [];
    }
    yield { changes, place, done: 0 };
  } finally {
    await root.close();
  }
}

/** Refuses a root that has databases inside: under their names stand no records. */
function checkRoot(path: string, root: LmdbDatabase): void {
  for (const key of root.getKeys()) {
    if (typeof key !== 'string' || root.getBinary(key) !== undefined) continue;
    throw new InputError(`${path} has databases inside, such as ${describe(key)}; give one with --database.`);
  }
}

function opened(path: string, { open }: { open(options: object): LmdbDatabase }): LmdbDatabase {
  try {
    return open({ path, readOnly: true });
  } catch (error) {
    throw new InputError(`${path} cannot be opened as LMDB: ${(error as Error).message}.`, { cause: error });
  }
}

function keyOf(path: string, key: unknown): string {
  if (typeof key === 'string') return key;
  if (typeof key === 'number') return String(key);
  throw unreadable(path, `a key is ${describe(key)}, not a text or a number, which has no form here`, '');
}
