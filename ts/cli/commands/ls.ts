/**
 * `ls`: the tables, or the records of one.
 *
 * @module
 */
import { type CairnDB, insideOf } from '../../database.ts';
import { atMost } from '../arguments.ts';
import type { Context, Run } from '../command.ts';
import { type Cells, Table } from '../layout.ts';
import { rangeOf } from '../range.ts';
import { shown } from '../terminal.ts';
import { count, size, span } from '../units.ts';

/** Rows that are aligned together, and written before the next ones are read. */
const ROWS = 256;

export const run: Run = async (context) => {
  const { args, options, open } = context;
  atMost(args, 1);
  const range = rangeOf(options);
  const db = await open('read');
  await (args[0] === undefined ? listTables(context, db) : listRecords(context, rowsOf(db, args[0], range)));
  return 0;
};

async function listTables({ json, out }: Context, db: CairnDB): Promise<void> {
  const { tables } = await db.stats();
  const rows: Cells[] = [];
  for (const { name, liveBytes } of tables) {
    const records = await db.getTableSize(name);
    if (json) await out.json({ table: name, records, bytes: liveBytes });
    else rows.push([shown(name), count(records), size(liveBytes)]);
  }
  const right = { align: 'right' } as const;
  if (!json) await out.table([{ title: 'table' }, { title: 'records', ...right }, { title: 'size', ...right }], rows);
}

interface Row {
  readonly key: string;
  readonly version: number;
  readonly timestamp: number;
  readonly expiration: number | null;
  readonly bytes: number;
}

async function listRecords({ json, out, signal }: Context, records: AsyncIterable<Row>): Promise<void> {
  const right = { align: 'right' } as const;
  const titles = [{ title: 'key' }, ...['version', 'age', 'size', 'expires in'].map((title) => ({ title, ...right }))];
  const table = new Table(out.terminal, titles);
  let rows: Cells[] = [];
  for await (const record of records) {
    signal.throwIfAborted();
    if (json) await out.json(record);
    else if (rows.push(cellsOf(record)) === ROWS) {
      await out.rows(table, rows);
      rows = [];
    }
  }
  if (!json) await out.rows(table, rows);
}

function cellsOf({ key, version, timestamp, expiration, bytes }: Row): Cells {
  const now = Date.now();
  const rest = expiration === null ? '' : span(expiration - now);
  return [shown(key), count(version), span(now - timestamp), size(bytes), rest];
}

/** The records of a range, without decoding their values. */
async function* rowsOf(db: CairnDB, table: string, range: Parameters<CairnDB['keys']>[1]): AsyncGenerator<Row> {
  const { handle } = insideOf(db).session;
  for await (const key of db.keys(table, range)) {
    const record = handle.getRecord(table, key);
    // It may have been deleted since the iteration began.
    if (record === undefined) continue;
    const { value, version, timestamp, expiration } = record;
    yield { key, version, timestamp, expiration, bytes: bytesOf(value) };
  }
}

type Raw = NonNullable<ReturnType<ReturnType<typeof insideOf>['session']['handle']['getRecord']>>['value'];

/** What a value takes where it is stored. */
function bytesOf(value: Raw): number {
  if (Buffer.isBuffer(value)) return value.length;
  if ('head' in value) return value.head.length + Buffer.byteLength(value.text);
  return 'json' in value ? Buffer.byteLength(value.json) : 0;
}
