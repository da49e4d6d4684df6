/**
 * The tables of an SQLite file as a source.
 *
 * @module
 */
import { describe } from '../../../validate.ts';
import { NotDecodable } from '../jsonl.ts';
import { type Change, InputError, PAGE_BYTES, PAGE_RECORDS, type Page, type Source, unreadable } from '../record.ts';
import { installed } from './installed.ts';
import { type KeyForm, keyOfBytes } from './keys.ts';
import { VALUE_COLUMN } from './text.ts';

export interface SqliteOptions {
  /** Only this table. */
  readonly table: string | undefined;
  readonly keys: KeyForm;
}

type Cell = null | number | bigint | string | Uint8Array;
type Row = Record<string, Cell>;

interface Statement {
  all(...parameters: string[]): Row[];
  iterate(...parameters: string[]): Iterable<Row>;
}

/** What better-sqlite3 and node:sqlite have in common here: whole numbers come as BigInts, so that none loses digits. */
interface Sqlite {
  prepare(sql: string): Statement;
  close(): void;
}

/** How the rows of a table are read. */
interface Plan {
  readonly table: string;
  readonly sql: string;
  /** The columns whose cells make up the key. */
  readonly keys: readonly string[];
  /** The key is none of the columns, and not in the value. */
  readonly byRow: boolean;
  /** The value is that of its only column, and no object. */
  readonly bare: boolean;
}

export function sqliteSource(path: string, options: SqliteOptions): Source {
  return { total: 0, pages: pages(path, options), notices: [] };
}

async function* pages(path: string, { table, keys }: SqliteOptions): AsyncGenerator<Page, void, void> {
  const db = await opened(path);
  try {
    // One view of all tables, whatever others write meanwhile.
    db.prepare('BEGIN').all();
    for (const plan of plansOf(path, db, table)) yield* pagesOf(path, db, plan, keys);
  } catch (error) {
    if (error instanceof InputError || !isOfSqlite(error)) throw error;
    throw new InputError(`${path} cannot be read: ${(error as Error).message}.`, { cause: error });
  } finally {
    db.close();
  }
}

function* pagesOf(path: string, db: Sqlite, plan: Plan, form: KeyForm): Generator<Page, void, void> {
  const place = () => `${path}, table ${plan.table}`;
  let changes: Change[] = [{ type: 'table', table: plan.table }];
  let bytes = 0;
  for (const row of db.prepare(plan.sql).iterate()) {
    changes.push({
      type: 'put',
      table: plan.table,
      key: keyOfRow(place(), row, plan, form),
      value: valueOfRow(row, plan),
    });
    for (const cell of Object.values(row))
      bytes += typeof cell === 'object' ? (cell?.length ?? 0) : String(cell).length;
    if (changes.length < PAGE_RECORDS && bytes < PAGE_BYTES) continue;
    yield { changes, place, done: 0 };
    [changes, bytes] = [[], 0];
  }
  yield { changes, place, done: 0 };
}

function plansOf(path: string, db: Sqlite, wanted: string | undefined): Plan[] {
  const sql =
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name";
  const names = db
    .prepare(sql)
    .all()
    .map(({ name }) => String(name));
  if (wanted === undefined) return names.map((name) => planOf(db, name));
  if (names.includes(wanted)) return [planOf(db, wanted)];
  throw new InputError(`${path} has no table ${describe(wanted)}; it has ${names.map(describe).join(', ') || 'none'}.`);
}

function planOf(db: Sqlite, table: string): Plan {
  const info = db.prepare('SELECT name, pk FROM pragma_table_info(?)').all(table);
  const columns = info.map(({ name }) => String(name));
  const primary = info.filter(({ pk }) => Number(pk) > 0).sort((a, b) => Number(a.pk) - Number(b.pk));
  const lower = columns.map((name) => name.toLowerCase());
  // A column of that name hides the number of the row.
  const rowid = ['rowid', '_rowid_', 'oid'].find((name) => !lower.includes(name)) as string;
  const byRow = primary.length === 0;
  const keys = byRow ? [rowid] : primary.map(({ name }) => String(name));
  const others = columns.filter((name) => !keys.includes(name));
  const bare = others.length === 1 && others[0] === VALUE_COLUMN;
  return { table, sql: `SELECT ${byRow ? `${rowid} AS ${rowid}, ` : ''}* FROM ${quoted(table)}`, keys, byRow, bare };
}

function keyOfRow(place: string, row: Row, { keys }: Plan, form: KeyForm): string {
  const parts = keys.map((name) => keyPart(place, name, row[name] as Cell, form));
  return parts.length === 1 ? (parts[0] as string) : JSON.stringify(parts);
}

function keyPart(place: string, name: string, cell: Cell, form: KeyForm): string {
  if (cell === null) throw unreadable(place, `the primary key, column ${describe(name)}, is NULL in a row`);
  if (typeof cell !== 'object') return String(cell);
  try {
    return keyOfBytes(Buffer.from(cell), form);
  } catch (error) {
    throw error instanceof NotDecodable ? unreadable(place, error.message, '') : error;
  }
}

function valueOfRow(row: Row, { keys, byRow, bare }: Plan): unknown {
  if (bare) return plainOf(row[VALUE_COLUMN] as Cell);
  const cells = Object.entries(row).filter(([name]) => !byRow || name !== keys[0]);
  return Object.fromEntries(cells.map(([name, cell]) => [name, plainOf(cell)]));
}

/** A whole number as a number where that has all its digits. */
function plainOf(cell: Cell): unknown {
  if (typeof cell === 'bigint') return Number.isSafeInteger(Number(cell)) ? Number(cell) : cell;
  return cell instanceof Uint8Array ? Buffer.from(cell) : cell;
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

async function opened(path: string): Promise<Sqlite> {
  const { name, module } = await installed(['better-sqlite3', 'node:sqlite'], 'An SQLite file');
  try {
    return name === 'node:sqlite' ? ofNode(path, module) : ofPackage(path, module);
  } catch (error) {
    throw new InputError(`${path} cannot be opened as SQLite: ${(error as Error).message}.`, { cause: error });
  }
}

type PackageStatement = Statement & { readonly reader: boolean; run(): void };
type PackageDatabase = Omit<Sqlite, 'prepare'> & {
  defaultSafeIntegers(on: boolean): void;
  prepare(sql: string): PackageStatement;
};

function ofPackage(path: string, module: object): Sqlite {
  const Database = module as new (path: string, options: object) => PackageDatabase;
  const db = new Database(path, { readonly: true, fileMustExist: true });
  db.defaultSafeIntegers(true);
  const prepare = (sql: string): Statement => {
    const statement = db.prepare(sql);
    if (statement.reader) return statement;
    // It has no rows of statements that give none, and refuses to look for them.
    const none = () => {
      statement.run();
      return [];
    };
    return { all: none, iterate: none };
  };
  return { prepare, close: () => db.close() };
}

type NodeStatement = Statement & { setReadBigInts(on: boolean): void };
type NodeDatabase = Omit<Sqlite, 'prepare'> & { prepare(sql: string): NodeStatement };

function ofNode(path: string, module: object): Sqlite {
  const { DatabaseSync } = module as { DatabaseSync: new (path: string, options: object) => NodeDatabase };
  const db = new DatabaseSync(path, { readOnly: true });
  const prepare = (sql: string): Statement => {
    const statement = db.prepare(sql);
    statement.setReadBigInts(true);
    if (typeof statement.iterate !== 'function')
      throw new InputError('SQLite files need Node.js 22.13 or better-sqlite3.');
    return statement;
  };
  return { prepare, close: () => db.close() };
}

function isOfSqlite(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && (code.startsWith('SQLITE_') || code === 'ERR_SQLITE_ERROR');
}
