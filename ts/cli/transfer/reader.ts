/**
 * The records of a table with all that is known about them, in the order of their keys, on one snapshot.
 *
 * @module
 */
import { setImmediate } from 'node:timers/promises';
import { type CairnDB, insideOf } from '../../database.ts';
import { translated } from '../../errors.ts';
import { checkRange, firstPage } from '../../iterate.ts';
import { type RawKeyedRecord, type RawPage, type RawValue, SCAN_RECORDS } from '../../native.ts';
import { checkTable } from '../../validate.ts';

/** A record as it is in a database. */
export interface StoredRecord {
  readonly key: string;
  readonly value: unknown;
  readonly version: number;
  readonly timestamp: number;
  readonly expiration: number | null;
  /** The name of its dictionary, and the number of that which maps its keys, or 0 if none of them is mapped. */
  readonly dictionary: string | null;
  readonly mappedBy: number;
}

const LARGEST_PAGE = 256;
/** About how much a page may have, in bytes. */
const PAGE_BYTES = 1024 * 1024;
/** In the number of a dictionary: the record will expire. */
const EXPIRES = 2 ** 31;

/** The records of a table whose keys begin with `prefix`, by pages of about 1 MiB. */
export async function* recordPages(
  db: CairnDB,
  table: string,
  prefix = '',
): AsyncGenerator<readonly StoredRecord[], void, void> {
  checkTable(table);
  const range = checkRange(prefix === '' ? undefined : { prefix });
  // What the first records are like says how many may be read at once.
  let count = 1;
  const first = translated(() => firstPage(insideOf(db).session.handle, table, range, SCAN_RECORDS, count));
  const { rest } = first;
  try {
    for (let raw: RawPage = first; raw.length > 0; raw = translated(() => rest.next(count))) {
      const page = raw as readonly RawKeyedRecord[];
      const bytes = page.reduce((sum, { value }) => sum + sizeOf(value), 0);
      yield translated(() => page.map((record) => storedRecord(db, record)));
      if (rest === undefined) return;
      count = Math.min(
        Math.max(1, Math.floor((PAGE_BYTES * page.length) / Math.max(bytes, 1))),
        count * 4,
        LARGEST_PAGE,
      );
      await setImmediate();
    }
  } finally {
    rest?.close();
  }
}

/** The long and the short names of a dictionary; none if it maps nothing. */
export function pairsOf(db: CairnDB, mappedBy: number): [long: string, short: string][] {
  return mappedBy === 0 ? [] : translated(() => insideOf(db).session.handle.dictionary(mappedBy - 1));
}

function storedRecord(db: CairnDB, { value, dictionary, ...record }: RawKeyedRecord): StoredRecord {
  const mappedBy = 'dictionary' in value ? value.dictionary % EXPIRES : 0;
  return { ...record, value: insideOf(db).session.reader.value(value), dictionary, mappedBy };
}

function sizeOf(value: RawValue): number {
  if (Buffer.isBuffer(value)) return value.length;
  if ('head' in value) return value.head.length + value.text.length;
  return 'json' in value ? value.json.length : 0;
}
