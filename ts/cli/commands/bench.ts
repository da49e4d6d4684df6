/**
 * `bench`: what this machine and its disk can do, in a few seconds.
 *
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CairnDB } from '../../database.ts';
import type { Durability } from '../../options.ts';
import { atMost } from '../arguments.ts';
import type { Context, Run } from '../command.ts';
import type { Cells } from '../layout.ts';
import { count } from '../units.ts';

/** Each part takes so long, in milliseconds. */
const TIME = 700;
const VALUE = { name: 'Alice Liddell', born: 1852, tags: ['a', 'b'], text: 'x'.repeat(60) };
const TOGETHER = 256;

interface Result {
  readonly what: string;
  readonly operations: number;
  readonly seconds: number;
}

export const run: Run = async (context) => {
  atMost(context.args, 0);
  const temporary = mkdtempSync(join(dirname(context.directory), '.cairn-bench-'));
  try {
    const db = await CairnDB.open(join(temporary, 'data'));
    await measure(context, db).finally(() => db.close());
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
  return 0;
};

async function measure({ json, out, signal, progress }: Context, db: CairnDB): Promise<void> {
  const rows: Cells[] = [];
  const bar = progress('measuring', String);
  const parts = partsOf(db);
  bar.update(0, parts.length);
  for (const [at, { what, step }] of parts.entries()) {
    const result = await timed(what, step, signal);
    if (json) await out.json(result);
    else rows.push(cellsOf(result));
    bar.update(at + 1, parts.length);
  }
  bar.end();
  const right = { align: 'right' } as const;
  if (!json)
    await out.table([{ title: 'what' }, { title: 'per second', ...right }, { title: 'each takes', ...right }], rows);
}

interface Part {
  readonly what: string;
  /** Does some operations; resolves to how many. */
  readonly step: () => Promise<number>;
}

function partsOf(db: CairnDB): Part[] {
  let next = 0;
  const key = () => {
    next += 1;
    return keyOf(next);
  };
  const one = (durability: Durability) => async () => {
    await db.write('bench', key(), VALUE, { durability });
    return 1;
  };
  const together = (durability: Durability) => async () => {
    await Promise.all(Array.from({ length: TOGETHER }, () => db.write('bench', key(), VALUE, { durability })));
    return TOGETHER;
  };
  return [
    { what: 'write, on the disk (full)', step: one('full') },
    { what: `write, on the disk, ${TOGETHER} together`, step: together('full') },
    { what: 'write, with the system (os)', step: one('os') },
    { what: `write, with the system, ${TOGETHER} together`, step: together('os') },
    { what: 'write, in memory (eventual)', step: one('eventual') },
    { what: 'read a key at random', step: () => readSome(db, next) },
    { what: 'iterate over records', step: () => scan(db) },
  ];
}

function keyOf(number: number): string {
  return `key-${String(number).padStart(9, '0')}`;
}

async function readSome(db: CairnDB, written: number): Promise<number> {
  for (let read = 0; read < TOGETHER; read += 1) {
    db.getSync('bench', keyOf(1 + Math.floor(Math.random() * written)));
  }
  return TOGETHER;
}

async function scan(db: CairnDB): Promise<number> {
  let records = 0;
  for await (const _ of db.entries('bench', { limit: 10_000 })) records += 1;
  return records;
}

async function timed(what: string, step: Part['step'], signal: AbortSignal): Promise<Result> {
  const begin = performance.now();
  let operations = 0;
  let now = begin;
  while (now - begin < TIME) {
    operations += await step();
    now = performance.now();
    // The event loop has its turn, in which Ctrl-C is noticed.
    await new Promise(setImmediate);
    signal.throwIfAborted();
  }
  return { what, operations, seconds: (now - begin) / 1000 };
}

function cellsOf({ what, operations, seconds }: Result): Cells {
  const microseconds = (seconds / operations) * 1e6;
  const each = microseconds < 1000 ? `${microseconds.toPrecision(3)} µs` : `${(microseconds / 1000).toPrecision(3)} ms`;
  return [what, count(Math.round(operations / seconds)), each];
}
