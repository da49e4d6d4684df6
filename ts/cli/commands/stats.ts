/**
 * `stats`: what takes space, and what it costs.
 *
 * @module
 */
import { type CairnDB, insideOf } from '../../database.ts';
import type { DatabaseStats, TableStats } from '../../reports.ts';
import { atMost } from '../arguments.ts';
import type { Context, Run } from '../command.ts';
import type { Cells, Column } from '../layout.ts';
import type { Output } from '../output.ts';
import { blocks } from '../progress.ts';
import { harmless, shown } from '../terminal.ts';
import { count, size } from '../units.ts';

const WIDTH = 24;

export const run: Run = async (context) => {
  atMost(context.args, 0);
  const db = await context.open('read');
  const stats = await db.stats();
  const tables = stats.tables.map((table) => ({ ...table, expirations: expirationsOf(db, table.name) }));
  await (context.json ? context.out.json({ ...stats, tables }) : show(context, { ...stats, tables }));
  return 0;
};

/** How many records expire in the coming time, each in one of these. */
interface Expirations {
  readonly hour: number;
  readonly day: number;
  readonly week: number;
  readonly later: number;
}

const HOUR = 3_600_000;

/** As the lists of the table say: a record that was written again counts until its old version is merged away. */
function expirationsOf(db: CairnDB, table: string): Expirations {
  const { handle } = insideOf(db).session;
  const now = Date.now();
  const upto = [0, HOUR, 24 * HOUR, 7 * 24 * HOUR, Number.POSITIVE_INFINITY];
  const counts = upto.map((ahead) => handle.expirationsBefore(table, now + ahead));
  const within = (span: number) => (counts[span + 1] ?? 0) - (counts[span] ?? 0);
  return { hour: within(0), day: within(1), week: within(2), later: within(3) };
}

interface Figures extends DatabaseStats {
  readonly tables: readonly (TableStats & { readonly expirations: Expirations })[];
}

async function show({ out }: Context, stats: Figures): Promise<void> {
  const right = { align: 'right' } as const;
  const figures = ['records', 'live', 'dead', 'stones', 'pending'].map((title): Column => ({ title, ...right }));
  const largest = Math.max(...stats.tables.map((table) => stoneBytes(table) + table.memoryBytes), 1);
  const rows = stats.tables.map((table) => [...figuresOf(table), bar(table, largest)]);
  await out.table([{ title: 'table' }, ...figures, { title: '█ live ░ dead ▒ pending' }], rows);
  await out.line();
  await showExpirations(out, stats);
  for (const [name, text] of totals(stats)) await out.line(`${name.padEnd(22)}${text}`);
  if (stats.backgroundError !== null)
    await out.line(out.styled('red', `work in the background failed: ${harmless(stats.backgroundError)}`));
}

/** A table of those tables in which something expires, if there are any. */
async function showExpirations(out: Output, { tables }: Figures): Promise<void> {
  const expiring = tables.filter(({ expirations }) => sum(expirations) > 0);
  if (expiring.length === 0) return;
  const most = Math.max(...expiring.map(({ expirations }) => sum(expirations)));
  const spans = ['hour', 'day', 'week', 'later'].map((title): Column => ({ title, align: 'right' }));
  const rows = expiring.map(({ name, expirations }) => {
    const { hour, day, week, later } = expirations;
    return [shown(name), ...[hour, day, week, later].map(count), expirationBar(expirations, most)];
  });
  await out.table([{ title: 'expires within' }, ...spans, { title: '█ hour ▓ day ▒ week ░ later' }], rows);
  await out.line();
}

function sum({ hour, day, week, later }: Expirations): number {
  return hour + day + week + later;
}

function expirationBar({ hour, day, week, later }: Expirations, most: number): string {
  const part = (block: string, number: number) => block.repeat(Math.round((number / most) * WIDTH));
  return part('█', hour) + part('▓', day) + part('▒', week) + part('░', later);
}

function figuresOf(table: TableStats): Cells {
  const { name, liveRecords, liveBytes, stones, memoryBytes } = table;
  return [
    shown(name),
    count(liveRecords),
    size(liveBytes),
    size(deadBytes(table)),
    count(stones.length),
    size(memoryBytes),
  ];
}

function stoneBytes({ stones }: TableStats): number {
  return stones.reduce((sum, bytes) => sum + bytes, 0);
}

/** What of the files of a table is neither live nor packed with what is: the share that records take beyond it. */
function deadBytes(table: TableStats): number {
  const { contentBytes, liveBytes } = table;
  return contentBytes === 0 ? 0 : (stoneBytes(table) * Math.max(0, contentBytes - liveBytes)) / contentBytes;
}

/** The files and the memory of a table, as a share of the largest one. */
function bar(table: TableStats, largest: number): string {
  const dead = deadBytes(table);
  const cells = (bytes: number) => Math.round((bytes / largest) * WIDTH);
  const live = blocks((stoneBytes(table) - dead) / largest, WIDTH).trimEnd();
  return `${live}${'░'.repeat(cells(dead))}${'▒'.repeat(cells(table.memoryBytes))}`;
}

function* totals(stats: DatabaseStats): Generator<readonly [string, string]> {
  yield ['journal pending', size(stats.journalBytes)];
  yield ['files of tables', size(stats.stoneBytes)];
  yield ['to be removed', size(stats.reclaimableBytes)];
  yield ['space amplification', factor(stats.spaceAmplification)];
  if (stats.writtenBytes > 0) yield ['write amplification', factor(stats.writeAmplification)];
  if (stats.reads > 0) yield ['read amplification', factor(stats.readAmplification)];
  yield ['generation', count(stats.generation)];
}

function factor(number: number): string {
  return `${number.toFixed(2)}×`;
}
