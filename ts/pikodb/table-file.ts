/**
 * PikoDB's table files: JSON arrays of `[key, record]`, whose records have changed their members between releases.
 *
 * @module
 */
import type { ImportedRecord } from '../import.ts';
import { hasKeyOf, mapKeys, type ProcessedDictionary } from './dictionary.ts';

/** Why a file cannot be taken over, for people. */
export class Refusal extends Error {}

/** A table as it stands in its file. */
export interface TableFile {
  /** The last record of each key, in the order of the file, with the short keys of its dictionary. */
  readonly records: ReadonlyMap<string, ImportedRecord>;
  /** From a release without names of dictionaries, perhaps: no record names one, though it has the members for it. */
  readonly unnamed: boolean;
}

/** The names that the members of a record have. */
interface Layout {
  readonly value: string;
  readonly version: string;
  readonly timestamp: string;
  readonly expiration: string;
  readonly dictionary: string | undefined;
}

const FIRST: Layout = {
  value: 'value',
  version: 'version',
  timestamp: 'timestamp',
  expiration: 'expiration',
  dictionary: undefined,
};
const SECOND: Layout = { value: 'v', version: 'ver', timestamp: 'ts', expiration: 'exp', dictionary: undefined };
/** Since 0.0.3, and with `n` since 0.0.4. */
const THIRD: Layout = { value: 'd', version: 'v', timestamp: 't', expiration: 'x', dictionary: 'n' };

/**
 * The records of a table file.
 *
 * @throws Refusal if it is anything but what PikoDB writes
 */
export function parseTable(bytes: Uint8Array): TableFile {
  if (bytes.length === 0) return { records: new Map(), unnamed: false };
  const list = parseJson(bytes);
  if (!Array.isArray(list)) throw new Refusal('It is JSON, but not a list of records.');
  const records = new Map<string, ImportedRecord>();
  let unnamed = true;
  for (const [index, entry] of list.entries()) {
    const { layout, record } = parseEntry(entry, index);
    records.set(record.key, record);
    unnamed &&= layout !== FIRST && record.dictionaryName === null;
  }
  return { records, unnamed };
}

/** A record's value with its long keys again. `unnamed` is the dictionary of a release that had only one. */
export function inflated(
  record: ImportedRecord,
  dictionaries: ReadonlyMap<string, ProcessedDictionary>,
  unnamed: ProcessedDictionary | undefined,
): ImportedRecord {
  const { key, value, dictionaryName } = record;
  const dictionary = dictionaryName === null ? unnamed : dictionaries.get(dictionaryName);
  if (dictionary === undefined) return record;
  const long = mapKeys(value, dictionary.inflate, (member) => {
    const place = `record ${JSON.stringify(key)}: two of its keys would become ${JSON.stringify(member)}`;
    throw new Refusal(`The dictionary is not the one that the file was written with, as it does not fit ${place}.`);
  });
  return { ...record, value: long };
}

/** The names of the dictionaries that a table was written with and that are not given. */
export function missingDictionaries({ records }: TableFile, given: ReadonlyMap<string, unknown>): string[] {
  const names = new Set<string>();
  for (const { dictionaryName } of records.values()) {
    if (dictionaryName !== null && !given.has(dictionaryName)) names.add(dictionaryName);
  }
  return [...names];
}

/**
 * Whether the values of a table have the short keys of the only dictionary that a release had. It mapped every record, so
 * no long key can be left; later releases do not say that a record was written without one.
 */
export function isMappedBy({ records, unnamed }: TableFile, dictionary: ProcessedDictionary): boolean {
  return unnamed && Array.from(records.values()).every(({ value }) => !hasKeyOf(value, dictionary.deflate));
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (error) {
    const problem = error instanceof SyntaxError ? error.message : 'it is not UTF-8';
    throw new Refusal(`It is not JSON (${problem}): a damaged table, or a file of something else.`);
  }
}

function parseEntry(entry: unknown, index: number): { layout: Layout; record: ImportedRecord } {
  const refuse = (problem: string): never => {
    throw new Refusal(`Entry ${index} ${problem}, which PikoDB does not write: it is damaged, or not a table.`);
  };
  if (!Array.isArray(entry) || entry.length !== 2) return refuse('is not a pair of a key and a record');
  const [key, parts] = entry as [unknown, unknown];
  if (typeof key !== 'string') return refuse('has a key that is not a string');
  if (typeof parts !== 'object' || parts === null || Array.isArray(parts)) return refuse('has no record');
  const members = parts as Record<string, unknown>;
  const layout = layoutOf(members);
  const names = Object.values(layout);
  if (!Object.keys(members).every((name) => names.includes(name))) return refuse('has unknown members');
  const version = members[layout.version];
  const timestamp = members[layout.timestamp];
  const expiration = members[layout.expiration];
  const dictionaryName = layout.dictionary === undefined ? undefined : members[layout.dictionary];
  if (!Object.hasOwn(members, layout.value)) return refuse('has no value');
  if (!isWhole(version) || version === 0) return refuse('has no version');
  if (!isWhole(timestamp)) return refuse('has no time');
  if (expiration !== null && typeof expiration !== 'number') return refuse('has no expiration');
  if (dictionaryName !== undefined && (typeof dictionaryName !== 'string' || dictionaryName === ''))
    return refuse('has a strange dictionary');
  const record = { key, value: members[layout.value], version, timestamp, expiration };
  return { layout, record: { ...record, dictionaryName: dictionaryName ?? null } };
}

function layoutOf(members: Record<string, unknown>): Layout {
  if (Object.hasOwn(members, 'value')) return FIRST;
  return Object.hasOwn(members, 'ver') ? SECOND : THIRD;
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
