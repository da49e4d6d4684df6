/**
 * `stats`: what takes space, and what it costs.
 *
 * @module
 */
import type { DatabaseStats, TableStats } from '../../reports.ts';
import { atMost } from '../arguments.ts';
import type { Context, Run } from '../command.ts';
import type { Cells, Column } from '../layout.ts';
import { blocks } from '../progress.ts';
import { harmless, shown } from '../terminal.ts';
import { count, size } from '../units.ts';

const WIDTH = 24;

export const run: Run = async (context) => {
  atMost(context.args, 0);
  const db = await context.open('read');
  const stats = await db.stats();
  await (context.json ? context.out.json(stats) : show(context, stats));
  return 0;
};

async function show({ out }: Context, stats: DatabaseStats): Promise<void> {
  const right = { align: 'right' } as const;
  const figures = ['records', 'live', 'dead', 'stones', 'pending'].map((title): Column => ({ title, ...right }));
  const largest = Math.max(...stats.tables.map((table) => stoneBytes(table) + table.memoryBytes), 1);
  const rows = stats.tables.map((table) => [...figuresOf(table), bar(table, largest)]);
  await out.table([{ title: 'table' }, ...figures, { title: '█ live ░ dead ▒ pending' }], rows);
  await out.line();
  for (const [name, text] of totals(stats)) await out.line(`${name.padEnd(22)}${text}`);
  if (stats.backgroundError !== null)
    await out.line(out.styled('red', `work in the background failed: ${harmless(stats.backgroundError)}`));
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

/** What the files of a table have beyond what is live and not in memory alone. */
function deadBytes(table: TableStats): number {
  return Math.max(0, stoneBytes(table) - table.liveBytes);
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
