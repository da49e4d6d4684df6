/**
 * Files of JSON lines and of CSV as sources.
 *
 * @module
 */
import { describe } from '../../../validate.ts';
import { type ColumnType, valueOfCell } from '../cells.ts';
import { type Cell, CsvParser, NotCsv, type Row } from '../csv.ts';
import { type Input, linesOf, textsOf } from '../input.ts';
import { NotDecodable } from '../jsonl.ts';
import { changeOfLine, valueOfLine } from '../lines.ts';
import { type Change, type Page, type Source, unreadable } from '../record.ts';

/** What the first column is called in what `export` writes. */
export const KEY_COLUMN = 'key';
/** What a column is called that has a value which is no object, and so has no members for columns. */
export const VALUE_COLUMN = 'value';

export interface JsonlOptions {
  /** The table of lines that name none; of the others only those of this table are imported. */
  readonly table: string | undefined;
  /** Lines are values by themselves, and this member of them is the key. */
  readonly key: string | undefined;
}

export interface CsvOptions {
  readonly table: string;
  /** The column that is the key. Without it that is the first one, and then it is no part of the value. */
  readonly key: string | undefined;
  readonly delimiter: string;
  /** What cells become, by column; `*` is all others. */
  readonly types: ReadonlyMap<string, ColumnType>;
}

/** Lines of JSON. Empty ones are passed over. */
export function jsonlSource(input: Input, { table, key }: JsonlOptions): Source {
  const changeOf = (line: string): Change =>
    key === undefined ? changeOfLine(line, table) : valueOfLine(line, table as string, key);
  const isWanted = (change: Change) => table === undefined || change.type === 'dictionary' || change.table === table;
  async function* pages(): AsyncGenerator<Page, void, void> {
    for await (const { lines, first, done } of linesOf(input)) {
      const changes: Change[] = [];
      const numbers: number[] = [];
      const place = (index: number) => `${input.name}, line ${numbers[index]}`;
      for (const [index, line] of lines.entries()) {
        if (line.trim() === '') continue;
        const change = located(`${input.name}, line ${first + index}`, () => changeOf(line));
        if (!isWanted(change)) continue;
        changes.push(change);
        numbers.push(first + index);
      }
      yield { changes, place, done };
    }
  }
  return { total: input.size, pages: pages(), notices: [] };
}

/** Rows of CSV, the first of which has the names of the columns. */
export function csvSource(input: Input, options: CsvOptions): Source {
  async function* pages(): AsyncGenerator<Page, void, void> {
    let header: Header | undefined;
    for await (const { rows, done } of rowsOf(input, options.delimiter)) {
      const changes: Change[] = [];
      const lines: number[] = [];
      for (const row of rows) {
        const place = `${input.name}, line ${row.line}`;
        if (header === undefined) header = located(place, () => headerOf(row.cells, options));
        else {
          const { length } = header.columns;
          changes.push(located(place, () => changeOfRow(row.cells, header as Header, length, options.table)));
          lines.push(row.line);
        }
      }
      yield { changes, place: (index) => `${input.name}, line ${lines[index]}`, done };
    }
  }
  return { total: input.size, pages: pages(), notices: [] };
}

async function* rowsOf(input: Input, delimiter: string): AsyncGenerator<{ rows: Row[]; done: number }, void, void> {
  const parser = new CsvParser(delimiter);
  let done = 0;
  try {
    for await (const piece of textsOf(input)) {
      done = piece.done;
      yield { rows: parser.rows(piece.text), done };
    }
    yield { rows: parser.end(), done };
  } catch (error) {
    throw error instanceof NotCsv ? unreadable(`${input.name}, line ${error.line}`, error.message) : error;
  }
}

interface Header {
  readonly columns: readonly string[];
  readonly types: readonly ColumnType[];
  /** Which column is the key. */
  readonly key: number;
  /** The columns that make up the value. */
  readonly members: readonly number[];
  /** The value is that of its only column, and no object. */
  readonly bare: boolean;
}

function headerOf(cells: readonly Cell[], { key, types, delimiter }: CsvOptions): Header {
  const columns = cells.map(({ text }) => text);
  const at = key === undefined ? columns.slice(0, 1).indexOf(KEY_COLUMN) : columns.indexOf(key);
  if (at === -1) throw new NotDecodable(withoutKey(columns, key, delimiter));
  const members = [...columns.keys()].filter((column) => key !== undefined || column !== at);
  const twice = members.find((column) => members.some((other) => other < column && columns[other] === columns[column]));
  if (twice !== undefined) throw new NotDecodable(`two columns are called ${describe(columns[twice])}`);
  const strange = [...types.keys()].find((name) => name !== '*' && !columns.includes(name));
  if (strange !== undefined) throw new NotDecodable(`--types names a column ${describe(strange)}, which is not there`);
  return {
    columns,
    types: columns.map((name) => types.get(name) ?? types.get('*') ?? 'string'),
    key: at,
    members,
    bare: key === undefined && members.length === 1 && columns[members[0] as number] === VALUE_COLUMN,
  };
}

function withoutKey(columns: readonly string[], key: string | undefined, delimiter: string): string {
  const names = columns.map(describe).join(', ');
  const other =
    columns.length === 1 ? [';', '\t', ','].find((one) => one !== delimiter && columns[0]?.includes(one)) : undefined;
  if (other !== undefined)
    return `there is one column, ${names}; if ${describe(other)} separates columns, say so with --delimiter`;
  if (key !== undefined) return `there is no column ${describe(key)}; there are ${names}`;
  return `the first column is not called "${KEY_COLUMN}"; say with --key which one is the key: ${names}`;
}

function changeOfRow(cells: readonly Cell[], header: Header, length: number, table: string): Change {
  if (cells.length !== length) {
    throw new NotDecodable(`it has ${cells.length} cells, and the first line has ${length} columns`);
  }
  const valueAt = (column: number) => {
    try {
      return valueOfCell(cells[column] as Cell, header.types[column] as ColumnType);
    } catch (error) {
      if (!(error instanceof NotDecodable)) throw error;
      throw new NotDecodable(`column ${describe(header.columns[column])}: ${error.message}`);
    }
  };
  const key = cells[header.key]?.text as string;
  if (header.bare) return { type: 'put', table, key, value: valueAt(header.members[0] as number) ?? '' };
  const members = header.members.map((column): [string, unknown] => [
    header.columns[column] as string,
    valueAt(column),
  ]);
  return { type: 'put', table, key, value: Object.fromEntries(members.filter(([, value]) => value !== undefined)) };
}

function located<T>(place: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof NotDecodable ? unreadable(place, error.message) : error;
  }
}
