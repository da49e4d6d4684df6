/**
 * Changes into a database, in batches that are there whole or not at all.
 *
 * @module
 */
import { setImmediate } from 'node:timers/promises';
import { type CairnDB, insideOf } from '../../database.ts';
import { CairnError, translated } from '../../errors.ts';
import { deleteOperation, type Means, type Operation, putOperation } from '../../operation.ts';
import { checkBatch } from '../../outcome.ts';
import { NO_TERMS } from '../../terms.ts';
import { type Change, type MovingRecord, type Page, unreadable } from './record.ts';

/** The most operations of a batch, and the most packed bytes before it ends. */
const BATCH_RECORDS = 1000;
const BATCH_BYTES = 1024 * 1024;
/** Acknowledged once the operating system has it. */
const OS = 1;

/** Errors that are about one record, whose place is to be named. */
const ABOUT_RECORDS = ['ERR_CAIRN_TOO_LARGE', 'ERR_CAIRN_UNKNOWN_DICTIONARY'];

/** What an import has done. */
export interface Written {
  /** By table, how many records were put there. */
  readonly tables: Map<string, number>;
  records: number;
}

export class Writer {
  readonly written: Written = { tables: new Map(), records: 0 };
  readonly #db: CairnDB;

  constructor(db: CairnDB) {
    this.#db = db;
  }

  /**
   * Writes a page. Resolves once the operating system has all of it, so that no more than a page is ever waited for. An
   * error names the place of the change that it is about; the batches before that one are written. `signal` ends it between
   * two batches.
   */
  async write({ changes, place }: Page, signal: AbortSignal): Promise<void> {
    for (let at = 0; at < changes.length; ) {
      signal.throwIfAborted();
      const end = await this.#step(changes, at, place);
      this.#count(changes, at, end);
      at = end;
    }
  }

  /** Does some changes from `at` on. Returns where those begin that are left. */
  async #step(changes: readonly Change[], at: number, place: Page['place']): Promise<number> {
    const change = changes[at] as Change;
    if (isOfRecord(change)) return this.#batch(changes, at, place);
    try {
      if (change.type === 'table') await this.#makeTable(change.table);
      else this.#db.addDictionary(change.name, { deflate: change.deflate });
    } catch (error) {
      throw placed(error, place(at));
    }
    return at + 1;
  }

  async #batch(changes: readonly Change[], start: number, place: Page['place']): Promise<number> {
    const { operations, group, first } = this.#submit(changes, start, place);
    await group.done;
    checkBatch(group, first, operations);
    // Signals and timers have their turn, which promises that are fulfilled already would not give them.
    await setImmediate();
    return start + operations.length;
  }

  /** Packs as much as makes up a batch, and submits it. All at once, since others may use the packer's memory afterwards. */
  #submit(changes: readonly Change[], start: number, place: Page['place']) {
    const { session, means } = translated(() => insideOf(this.#db));
    const { packer } = means;
    const mark = packer.at;
    const operations: Operation[] = [];
    const isFull = () => operations.length === BATCH_RECORDS || packer.at - mark >= BATCH_BYTES;
    try {
      for (let at = start; at < changes.length && !isFull(); at += 1) {
        const change = changes[at] as Change;
        if (!isOfRecord(change)) break;
        operations.push(operationOf(change, means, () => place(at)));
      }
      const group = translated(() => session.submit(operations, OS, packer));
      return { operations, group, first: group.size - operations.length };
    } finally {
      packer.release(mark);
    }
  }

  /** Makes a table that has no records: its first one makes it. */
  async #makeTable(table: string): Promise<void> {
    if (this.#db.listTables().includes(table)) return;
    const key = 'k';
    await this.#db.batch([
      { type: 'put', table, key, value: null },
      { type: 'del', table, key },
    ]);
  }

  #count(changes: readonly Change[], start: number, end: number): void {
    const { tables } = this.written;
    for (let at = start; at < end; at += 1) {
      const change = changes[at] as Change;
      if (change.type === 'dictionary') continue;
      const puts = change.type === 'put' ? 1 : 0;
      tables.set(change.table, (tables.get(change.table) ?? 0) + puts);
      this.written.records += puts;
    }
  }
}

type OfRecord = Extract<Change, { type: 'put' | 'delete' }>;

function isOfRecord(change: Change): change is OfRecord {
  return change.type === 'put' || change.type === 'delete';
}

function operationOf(change: OfRecord, means: Means, place: () => string): Operation {
  try {
    return change.type === 'put' ? putOf(change, means) : deleteOperation(change.table, change.key);
  } catch (error) {
    throw placed(error, place());
  }
}

function putOf(
  { table, key, value, version, timestamp, expiration, dictionary }: MovingRecord,
  means: Means,
): Operation {
  const terms = { ...NO_TERMS, expiration: expiration ?? undefined, dictionary: dictionary ?? undefined };
  const origin = version === undefined || timestamp === undefined ? undefined : { version, timestamp };
  return putOperation(table, key, value, terms, means, origin);
}

/** An error that is about a change, with its place. */
function placed(error: unknown, place: string): unknown {
  if (!(error instanceof CairnError)) return error;
  if (!error.code.startsWith('ERR_CAIRN_INVALID_') && !ABOUT_RECORDS.includes(error.code)) return error;
  return unreadable(place, error.message.replace(/\.$/, ''), undefined, error);
}
