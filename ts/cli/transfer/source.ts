/**
 * The source of an import, by its kind.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { type ProcessedDictionary, processDictionary } from '../../pikodb/dictionary.ts';
import { isOptionsObject } from '../../validate.ts';
import type { ColumnType } from './cells.ts';
import type { Kind } from './guess.ts';
import type { Input } from './input.ts';
import { InputError, type Source } from './record.ts';
import type { KeyForm } from './sources/keys.ts';
import type { LevelEncoding } from './sources/level.ts';

/** What is known about a source, besides where it is. What does not belong to its kind is left out of account. */
export interface SourceOptions {
  readonly table: string | undefined;
  readonly key: string | undefined;
  readonly types: ReadonlyMap<string, ColumnType>;
  readonly delimiter: string;
  readonly keys: KeyForm;
  readonly encoding: LevelEncoding;
  readonly database: string | undefined;
  /** The path of a JSON file. */
  readonly dictionaries: string | undefined;
}

/** Kinds whose records are in no table of their own, so that one has to be named for them. */
export const WITHOUT_TABLES: readonly Kind[] = ['csv', 'level', 'lmdb', 'persistency', 'persistent-kv'];

/** A source in a file or directory. What reads it is loaded only now. */
export async function sourceOf(
  kind: Exclude<Kind, 'jsonl' | 'csv'>,
  path: string,
  options: SourceOptions,
): Promise<Source> {
  const { table, keys, encoding, database } = options;
  const into = table ?? '';
  if (kind === 'level') return (await import('./sources/level.ts')).levelSource(path, { table: into, keys, encoding });
  if (kind === 'lmdb') return (await import('./sources/lmdb.ts')).lmdbSource(path, { table: into, database });
  if (kind === 'sqlite') return (await import('./sources/sqlite.ts')).sqliteSource(path, { table, keys });
  const dropIns = await import('./sources/drop-ins.ts');
  if (kind === 'pikodb') return dropIns.pikodbSource(path, table, dictionariesOf(options.dictionaries));
  if (kind === 'worsen') return dropIns.worsenSource(path, table);
  if (kind === 'persistency') return dropIns.persistencySource(path, into);
  return dropIns.persistentKvSource(path, into, keys);
}

/** A source of text. */
export async function textSourceOf(kind: 'jsonl' | 'csv', input: Input, options: SourceOptions): Promise<Source> {
  const { jsonlSource, csvSource } = await import('./sources/text.ts');
  return kind === 'jsonl' ? jsonlSource(input, options) : csvSource(input, { ...options, table: options.table ?? '' });
}

function dictionariesOf(path: string | undefined): Map<string, ProcessedDictionary> {
  if (path === undefined) return new Map();
  try {
    const json: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (!isOptionsObject(json)) throw new Error('it is no object of dictionaries by their names');
    return new Map(Object.entries(json).map(([name, dictionary]) => [name, processDictionary(dictionary as object)]));
  } catch (error) {
    throw new InputError(`${path} cannot be read as dictionaries: ${(error as Error).message}.`, { cause: error });
  }
}
