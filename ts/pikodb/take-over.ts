/**
 * Takes over a directory of PikoDB's table files into a database.
 *
 * @module
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { CairnDB } from '../database.ts';
import { CairnError } from '../errors.ts';
import { type ImportedRecord, importRecords } from '../import.ts';
import {
  beginTakeover,
  dueTakeover,
  fingerprintOf,
  finishTakeover,
  type RefusedFile,
  readTakeover,
  type TakenFile,
  type TakeoverReport,
} from '../takeover.ts';
import type { ProcessedDictionary } from './dictionary.ts';
import { storedKey, storedTable, storedValue } from './storable.ts';
import { inflated, isMappedBy, missingDictionaries, parseTable, Refusal } from './table-file.ts';
import { validateTable } from './validate.ts';

const SYSTEM = 'pikodb';

/** What a write that was killed leaves: the table's name, the time, and some characters by chance. */
const TEMPORARY = /\.tmp(?:\.\d{10,}\.[0-9a-z]*)?$/;

/** Where the files are, and what they were written with. */
export interface Source {
  readonly directory: string;
  readonly dictionaries: ReadonlyMap<string, ProcessedDictionary>;
  /** The only dictionary of a release whose dictionaries had no names. */
  readonly unnamed: ProcessedDictionary | undefined;
}

/** What one file is to be in the database. */
interface Reading {
  readonly records: Iterable<ImportedRecord>;
  readonly taken: TakenFile;
}

/**
 * Takes over what there is to take over into `db`, which is open: at the first start all tables, later those that were
 * refused and can be read now, as long as the database has no tables of their names. Returns the report of all that was
 * taken over so far; `undefined` if the database is one of its own.
 */
export async function takeOver(db: CairnDB, source: Source): Promise<TakeoverReport | undefined> {
  const found = readTakeover(db.directory, SYSTEM);
  const due = dueTakeover(found, db.listTables());
  if (found === undefined && due === undefined) return undefined;
  for (const table of due?.drop ?? []) await db.deleteTable(table);
  const before = found !== undefined && (found.state === 'done' || found.again) ? found : undefined;
  const round = new Round(db, source);
  const sound = round.soundOf(before === undefined ? candidates(source.directory) : before.refused.map(nameOf));
  if (due === undefined && sound.length === 0) return reportOf(before?.files ?? [], round.refused);
  if (sound.length > 0) beginTakeover(db.directory, SYSTEM, sound.map(storedTable), before);
  for (const name of sound) await round.take(name);
  await db.flush();
  const report = reportOf([...(before?.files ?? []), ...round.taken], round.refused);
  finishTakeover(db.directory, report);
  return report;
}

/** Every name in the directory that is not hidden: PikoDB too passes over those that are, and the database is one of them. */
function candidates(directory: string): string[] {
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch (error) {
    const message = `Cannot list ${directory}, so what is to be taken over is unknown: ${(error as Error).message}`;
    throw new CairnError('ERR_CAIRN_IO', message, { path: directory, cause: error });
  }
  return names.filter((name) => !name.startsWith('.')).sort();
}

function nameOf({ name }: RefusedFile): string {
  return name;
}

function reportOf(files: readonly TakenFile[], refused: readonly RefusedFile[]): TakeoverReport {
  return { system: SYSTEM, files, refused };
}

/** One take-over, from the first look at the files to the last record. */
class Round {
  readonly taken: TakenFile[] = [];
  readonly refused: RefusedFile[] = [];
  readonly #db: CairnDB;
  readonly #source: Source;

  constructor(db: CairnDB, source: Source) {
    this.#db = db;
    this.#source = source;
  }

  /** Those of the files that can be taken over; the others are refused. */
  soundOf(names: readonly string[]): string[] {
    const present = new Set(this.#db.listTables());
    return names.filter((name) =>
      this.#refusing(name, () => {
        validateName(name);
        this.#read(name);
        if (present.has(storedTable(name))) {
          throw new Refusal('There is a table of this name in the database by now, which is not written over.');
        }
      }),
    );
  }

  /** Writes the records of a file into its table. */
  async take(name: string): Promise<void> {
    const table = storedTable(name);
    let reading: Reading | undefined;
    // Once more, as it may have changed: what is written is what the fingerprint is of.
    this.#refusing(name, () => {
      reading = this.#read(name);
    });
    if (reading === undefined) return;
    try {
      await makeTable(this.#db, table);
      await importRecords(this.#db, table, reading.records);
      this.taken.push(reading.taken);
    } catch (error) {
      const why = refusalOf(error);
      if (why === undefined) throw error;
      await this.#db.deleteTable(table);
      this.refused.push({ name, why });
    }
  }

  /** Does `work` for a file. Returns whether it went well; if not, the file is refused. */
  #refusing(name: string, work: () => void): boolean {
    try {
      work();
      return true;
    } catch (error) {
      const why = refusalOf(error);
      if (why === undefined) throw error;
      this.refused.push({ name, why });
      return false;
    }
  }

  #read(name: string): Reading {
    const path = join(this.#source.directory, name);
    const stat = statSync(path);
    if (stat.isDirectory()) throw new Refusal('It is a directory, and no table.');
    if (!stat.isFile()) throw new Refusal('It is not a regular file, and no table.');
    const bytes = readFileSync(path);
    const file = parseTable(bytes);
    const { dictionaries, unnamed } = this.#source;
    const missing = missingDictionaries(file, dictionaries);
    if (missing.length > 0) {
      const names = missing.map((dictionary) => JSON.stringify(dictionary)).join(', ');
      throw new Refusal(
        `Its records need dictionaries that were not given: ${names}. Give them to the constructor, and start again.`,
      );
    }
    const only = unnamed !== undefined && isMappedBy(file, unnamed) ? unnamed : undefined;
    const records = Array.from(file.records.values(), (record) => inflated(record, dictionaries, only));
    return { records: records.map(stored), taken: { name, ...fingerprintOf(bytes), records: records.length } };
  }
}

function validateName(name: string): void {
  if (TEMPORARY.test(name)) {
    throw new Refusal('It is a temporary file of a write that did not end, and no table. Remove it if you like.');
  }
  try {
    validateTable(name);
  } catch (error) {
    throw new Refusal(`Its name is none that a table can have: ${(error as Error).message}.`);
  }
}

function stored(record: ImportedRecord): ImportedRecord {
  const key = storedKey(record.key);
  return { ...record, key, value: storedValue(record.key, key, record.value) };
}

/** Makes a table, which may stay empty: PikoDB lists those too. */
async function makeTable(db: CairnDB, table: string): Promise<void> {
  await db.batch([
    { type: 'put', table, key: 'k', value: null },
    { type: 'del', table, key: 'k' },
  ]);
}

/** Why a file is refused after this error; `undefined` if the error is not about the file. */
function refusalOf(error: unknown): string | undefined {
  if (error instanceof Refusal) return error.message;
  if (error instanceof CairnError) {
    const isAboutRecord = error.code.startsWith('ERR_CAIRN_INVALID_') || error.code === 'ERR_CAIRN_TOO_LARGE';
    return isAboutRecord ? `A record of it cannot be stored: ${error.message}` : undefined;
  }
  return isSystemError(error) ? `It cannot be read: ${error.message}` : undefined;
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && typeof (error as NodeJS.ErrnoException).code === 'string';
}
