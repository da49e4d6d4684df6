/**
 * Tables of a database as text: JSON lines of any tables, or CSV of one.
 *
 * @module
 */
import type { CairnDB } from '../../database.ts';
import { cellOf, hasColumns, inQuotes, NotWritable } from './cells.ts';
import { lineOfDictionary, lineOfRecord, lineOfTable } from './lines.ts';
import { pairsOf, recordPages, type StoredRecord } from './reader.ts';
import { KEY_COLUMN, VALUE_COLUMN } from './sources/text.ts';

/** What is to be exported. */
export interface Selection {
  readonly tables: readonly string[];
  /** Only records whose keys begin like this. */
  readonly prefix: string;
}

/** Takes text; resolves when there is room for more. */
export type Sink = (text: string) => Promise<void>;

/** Is told of each page, how many records it had. */
export type OnPage = (records: number) => void;

/** More columns than this are none: each record has members of its own. */
const MOST_COLUMNS = 10_000;
const DELIMITER = ',';
const ROW_END = '\r\n';

/** A table cannot be CSV. The message says why, and what to do. */
export class NotTabular extends Error {}

/** Each record as a line of JSON, a table without records as one, and each dictionary in front of what needs it. */
export async function exportJsonl(
  db: CairnDB,
  { tables, prefix }: Selection,
  sink: Sink,
  onPage: OnPage,
): Promise<number> {
  const dictionaries = new Map<string, number>();
  let records = 0;
  for (const table of tables) {
    let isEmpty = true;
    for await (const page of recordPages(db, table, prefix)) {
      let text = '';
      for (const record of page) {
        text += definition(db, record, dictionaries);
        text += `${lineOf(table, record)}\n`;
      }
      await sink(text);
      onPage(page.length);
      records += page.length;
      isEmpty = false;
    }
    if (isEmpty && prefix === '') await sink(`${lineOfTable(table)}\n`);
  }
  return records;
}

/** The table as rows, with a column for each member that a record has, in the order in which they are found. */
export async function exportCsv(
  db: CairnDB,
  table: string,
  prefix: string,
  sink: Sink,
  onPage: OnPage,
): Promise<number> {
  const columns = await columnsOf(db, table, prefix, onPage);
  const header = [KEY_COLUMN, ...columns].map((name) => writable(table, name, () => inQuotes(name, DELIMITER)));
  await sink(header.join(DELIMITER) + ROW_END);
  const known = new Set(columns);
  let records = 0;
  for await (const page of recordPages(db, table, prefix)) {
    await sink(page.map(({ key, value }) => writable(table, key, () => rowOf(key, value, columns, known))).join(''));
    onPage(page.length);
    records += page.length;
  }
  return records;
}

function lineOf(table: string, record: StoredRecord): string {
  try {
    return lineOfRecord({ table, ...record });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const place = `The record ${JSON.stringify(record.key)} of table ${JSON.stringify(table)}`;
    throw new Error(`${place} is too large for a line of text; move it with a backup instead.`, { cause: error });
  }
}

/** A line for the dictionary of a record, unless it is the one that was last written under this name. */
function definition(db: CairnDB, { dictionary, mappedBy }: StoredRecord, written: Map<string, number>): string {
  if (dictionary === null) return '';
  const last = written.get(dictionary);
  // Of a record in which nothing is mapped only the name is known, and any dictionary of this name will do.
  if (last !== undefined && (mappedBy === 0 || last === mappedBy)) return '';
  written.set(dictionary, mappedBy);
  return `${lineOfDictionary(dictionary, pairsOf(db, mappedBy))}\n`;
}

/** The names of the columns behind that of the key. */
async function columnsOf(db: CairnDB, table: string, prefix: string, onPage: OnPage): Promise<string[]> {
  const columns = new Set<string>();
  let [members, others] = [false, false];
  for await (const page of recordPages(db, table, prefix)) {
    for (const { value } of page) {
      if (!hasColumns(value)) {
        others = true;
        continue;
      }
      for (const name of Object.keys(value)) columns.add(name);
      members ||= columns.has(VALUE_COLUMN);
    }
    if (columns.size > MOST_COLUMNS)
      throw notTabular(table, `its records have more than ${MOST_COLUMNS} different members`);
    onPage(page.length);
  }
  if (members && others) {
    throw notTabular(
      table,
      `some records have a member "${VALUE_COLUMN}", and others are no objects and need this column`,
    );
  }
  if (others) columns.add(VALUE_COLUMN);
  return [...columns];
}

function rowOf(key: string, value: unknown, columns: readonly string[], known: ReadonlySet<string>): string {
  const members = hasColumns(value) ? value : { [VALUE_COLUMN]: value };
  const strange = Object.keys(members).find((name) => !known.has(name));
  if (strange !== undefined) {
    throw new NotTabular(
      `The table got a column ${JSON.stringify(strange)} while it was exported; run the export again.`,
    );
  }
  const cells = columns.map((name) => cellOf(Object.hasOwn(members, name) ? members[name] : undefined, DELIMITER));
  return [inQuotes(key, DELIMITER), ...cells].join(DELIMITER) + ROW_END;
}

/** What `write` returns; that something of it cannot be written is said with its key. */
function writable(table: string, key: string, write: () => string): string {
  try {
    return write();
  } catch (error) {
    throw error instanceof NotWritable ? notTabular(table, `${JSON.stringify(key)} ${error.message}`) : error;
  }
}

function notTabular(table: string, why: string): NotTabular {
  return new NotTabular(`Table ${JSON.stringify(table)} cannot be CSV: ${why}. Export it as jsonl.`);
}
