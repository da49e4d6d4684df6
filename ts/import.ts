/**
 * What taking over another store needs besides the methods of a database: records that keep their versions and times, and a
 * turn among the threads that have the directory open.
 *
 * @module
 */
import { setImmediate, setTimeout } from 'node:timers/promises';
import { type CairnDB, insideOf } from './database.ts';
import { translated } from './errors.ts';
import type { NativeHandle } from './native.ts';
import { type Means, type Origin, putOperation } from './operation.ts';
import { checkBatch } from './outcome.ts';
import type { Group, Session } from './session.ts';
import { NO_TERMS } from './terms.ts';

/** What the drop-ins of the package need of an instance besides its methods. */
export interface Inside {
  /** The session, while the database is open. */
  readonly session: Session;
  readonly means: Means;
}

/** A record of another store, as it is to be here. */
export interface ImportedRecord extends Origin {
  readonly key: string;
  readonly value: unknown;
  /** Milliseconds since the epoch; null: never. */
  readonly expiration: number | null;
  /** One of the dictionaries of the instance; null: none. */
  readonly dictionaryName: string | null;
}

/** Milliseconds between two looks at whether it is one's turn. */
const TURN_POLL = 5;
/** Acknowledged once the operating system has it. */
const OS = 1;

/**
 * Writes records of another store with the versions and times that they have, into a table in which there are no records
 * under these keys. Resolves once the operating system has them.
 */
export async function importRecords(db: CairnDB, table: string, records: Iterable<ImportedRecord>): Promise<void> {
  let last: Group | undefined;
  for (const record of records) {
    const group = submit(db, table, record);
    // One full group after the other, so that neither memory nor the event loop has to hold all of them.
    if (last !== undefined && last !== group) await imported(last);
    last = group;
  }
  if (last !== undefined) await imported(last);
}

function submit(db: CairnDB, table: string, record: ImportedRecord): Group {
  const { key, value, version, timestamp, expiration, dictionaryName } = record;
  const terms = { ...NO_TERMS, expiration: expiration ?? undefined, dictionary: dictionaryName ?? undefined };
  const { session, means } = translated(() => insideOf(db));
  const { packer } = means;
  const mark = packer.at;
  try {
    const operation = putOperation(table, key, value, terms, means, { version, timestamp });
    return translated(() => session.submit([operation], OS, packer));
  } finally {
    packer.release(mark);
  }
}

async function imported(group: Group): Promise<void> {
  await group.done;
  checkBatch(group, 0, []);
  await setImmediate();
}

/** Does `work` in its turn: never while another opening of the directory in this process, in whichever thread, has its own. */
export async function inTurn<T>(db: CairnDB, work: () => Promise<T>): Promise<T> {
  const { handle } = insideOf(db).session;
  // Who has the turn may be in another thread, whose event loop this one cannot hear of.
  while (!translated(() => handle.takeTurn())) await setTimeout(TURN_POLL);
  try {
    return await work();
  } finally {
    handle.endTurn();
  }
}

/** As {@link inTurn}, for who may not wait but by blocking. */
export function inTurnSync<T>(handle: NativeHandle, work: () => T): T {
  const never = new Int32Array(new SharedArrayBuffer(4));
  while (!translated(() => handle.takeTurn())) Atomics.wait(never, 0, 0, TURN_POLL);
  try {
    return work();
  } finally {
    handle.endTurn();
  }
}
