/**
 * The stores that CairnDB takes the place of as sources. They are only read.
 *
 * @module
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { CairnError, fromNative, translated } from '../../../errors.ts';
import { type NativeChanges, native } from '../../../native.ts';
import { isNewer } from '../../../persistency/format.ts';
import { openOriginals } from '../../../persistency/originals.ts';
import { scan } from '../../../persistency/scan.ts';
import { lossless, type ProcessedDictionary } from '../../../pikodb/dictionary.ts';
import { inflated, missingDictionaries, parseTable, Refusal } from '../../../pikodb/table-file.ts';
import { readOriginals } from '../../../worsen/originals.ts';
import { NotDecodable } from '../jsonl.ts';
import { type Change, InputError, PAGE_BYTES, type Page, type Source, unreadable } from '../record.ts';
import { type KeyForm, keyOfBytes } from './keys.ts';

/** What a write of PikoDB leaves that was killed. */
const TEMPORARY = /\.tmp(?:\.\d{10,}\.[0-9a-z]*)?$/;
const WORSEN_FILE = /^(.*)(?<!\.cache)\.store\.db$/;
/** So many damaged records are told of one by one. */
const MOST_NOTICES = 20;
/** Changes of a page, where all of them are in memory anyhow. */
const PAGE_CHANGES = 1000;

/** Tables of PikoDB: one file is one table, and is in memory as a whole while it is imported, as it was with PikoDB. */
export function pikodbSource(
  path: string,
  table: string | undefined,
  dictionaries: ReadonlyMap<string, ProcessedDictionary>,
): Source {
  const single = statSync(path).isFile();
  const directory = single ? dirname(path) : path;
  const names = single
    ? [basename(path)]
    : readdirSync(path)
        .filter((name) => !name.startsWith('.'))
        .sort();
  const tables = names.filter((name) => !TEMPORARY.test(name) && (table === undefined || single || name === table));
  const sizes = tables.map((name) => statSync(join(directory, name)).size);
  const notices = names
    .filter((name) => TEMPORARY.test(name))
    .map((name) => `${name} is what a write left that did not end; it is no table.`);
  async function* pages(): AsyncGenerator<Page, void, void> {
    let done = 0;
    for (const [index, name] of tables.entries()) {
      const changes = pikodbTable(join(directory, name), single && table !== undefined ? table : name, dictionaries);
      done += sizes[index] as number;
      yield* pagesOf(changes, join(directory, name), done);
    }
  }
  return { total: sizes.reduce((sum, size) => sum + size, 0), pages: pages(), notices };
}

function pikodbTable(path: string, table: string, dictionaries: ReadonlyMap<string, ProcessedDictionary>): Change[] {
  try {
    const file = parseTable(readFileSync(path));
    const missing = missingDictionaries(file, dictionaries);
    if (missing.length > 0) {
      throw new Refusal(
        `Its records need dictionaries: ${missing.join(', ')}. Give a JSON file of them with --dictionaries.`,
      );
    }
    const used = new Set([...file.records.values()].map(({ dictionaryName }) => dictionaryName));
    const definitions = [...dictionaries]
      .filter(([name]) => used.has(name))
      .map(([name, dictionary]): Change => {
        return { type: 'dictionary', name, deflate: lossless(dictionary).deflate ?? {} };
      });
    const records = Array.from(file.records.values(), (record): Change => {
      const { dictionaryName, ...rest } = inflated(record, dictionaries, undefined);
      return { type: 'put', table, ...rest, dictionary: dictionaryName };
    });
    return [{ type: 'table', table }, ...definitions, ...records];
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    throw new InputError(`${path}: ${error.message}`, { cause: error });
  }
}

/** Stores of worsen, each a table; `path` is their directory, or the file of one. */
export function worsenSource(path: string, table: string | undefined): Source {
  const single = statSync(path).isFile();
  const directory = single ? dirname(path) : path;
  const files = (single ? [basename(path)] : readdirSync(path).sort()).filter((name) => WORSEN_FILE.test(name));
  const stores = files.map((name) => name.replace(WORSEN_FILE, '$1'));
  const wanted = stores.filter((name) => table === undefined || single || name === table);
  if (wanted.length === 0) {
    const message = `There is no store of worsen in ${path}; name a directory or a file *.store.db, and --table as the store.`;
    throw new CairnError('ERR_CAIRN_DIRECTORY', message, { path });
  }
  const notices: string[] = [];
  async function* pages(): AsyncGenerator<Page, void, void> {
    for (const name of wanted) {
      const originals = readOriginals(directory, name);
      if (originals === undefined) continue;
      const target = single && table !== undefined ? table : name;
      const { report, records, appState } = originals;
      notices.push(...report.refused.map((file) => `${file.name}: ${file.why}`));
      if (Object.keys(appState).length > 0) {
        notices.push(`What worsen keeps beside the records of ${name} (app_state) was left out.`);
      }
      const puts = records.map(([key, value]): Change => ({ type: 'put', table: target, key, value }));
      yield* pagesOf([{ type: 'table', table: target }, ...puts], join(directory, `${name}.store.db`), 0);
    }
  }
  return { total: 0, pages: pages(), notices };
}

/** A folder of Persistency: the newest whole version of each key, as a Buffer. */
export function persistencySource(path: string, table: string): Source {
  const originals = openOriginals(path);
  if (originals === undefined) {
    throw new CairnError('ERR_CAIRN_DIRECTORY', `There are no records of Persistency in ${path}.`, { path });
  }
  const notices: string[] = [];
  async function* pages(): AsyncGenerator<Page, void, void> {
    const { entries, data } = originals as NonNullable<typeof originals>;
    const versions = new Map<string, number>();
    let changes: Change[] = [];
    let [bytes, done, damaged] = [0, 0, 0];
    const page = (): Page => {
      const full = { changes, place: () => entries.path, done };
      [changes, bytes] = [[], 0];
      return full;
    };
    try {
      for (const finding of scan({ entries, data })) {
        if (finding.state === 'damaged') {
          damaged += 1;
          if (damaged <= MOST_NOTICES)
            notices.push(`entries.db: the record at byte ${finding.offset} was left out: ${finding.why}.`);
        }
        if (finding.state !== 'good') continue;
        const { key, version, value, offset } = finding;
        const known = versions.get(key);
        if (known !== undefined && !isNewer(version, known)) continue;
        versions.set(key, version);
        changes.push({ type: 'put', table, key, value });
        bytes += value.length;
        done = offset;
        if (bytes >= PAGE_BYTES || changes.length === PAGE_CHANGES) yield page();
      }
      if (damaged > MOST_NOTICES)
        notices.push(`entries.db: ${damaged - MOST_NOTICES} further records were left out likewise.`);
      yield page();
    } finally {
      entries.close();
      data.close();
    }
  }
  return { total: originals.entries.size, pages: pages(), notices };
}

/** A directory of persistent-kv. Values are Buffers. */
export function persistentKvSource(path: string, table: string, form: KeyForm): Source {
  async function* pages(): AsyncGenerator<Page, void, void> {
    const reading = translated(() => native.readPersistentKv(resolve(path)));
    for (;;) {
      const page = await nextOf(reading);
      if (page.length === 0) return;
      const changes: Change[] = [];
      for (let at = 0; at < page.length; at += 2) {
        changes.push(changeOfBytes(path, table, page[at] as Buffer, page[at + 1] ?? null, form));
      }
      yield { changes, place: () => path, done: 0 };
    }
  }
  return { total: 0, pages: pages(), notices: [] };
}

function changeOfBytes(path: string, table: string, bytes: Buffer, value: Buffer | null, form: KeyForm): Change {
  try {
    const key = keyOfBytes(bytes, form);
    return value === null ? { type: 'delete', table, key } : { type: 'put', table, key, value };
  } catch (error) {
    throw error instanceof NotDecodable ? unreadable(path, error.message, '') : error;
  }
}

async function nextOf(reading: NativeChanges): Promise<(Buffer | null)[]> {
  try {
    return await reading.next();
  } catch (error) {
    throw fromNative(error);
  }
}

function* pagesOf(changes: readonly Change[], path: string, done: number): Generator<Page, void, void> {
  for (let at = 0; at < changes.length; at += PAGE_CHANGES) {
    yield { changes: changes.slice(at, at + PAGE_CHANGES), place: () => path, done };
  }
}
