// What a store costs at rest: the time to open it, its memory, and its bytes on disk.

import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { untouched } from '../contents.mjs';
import { keyOf, shuffled } from '../data.mjs';
import { load } from '../load.mjs';
import { median } from '../statistics.mjs';

const OPENS = 5;
const MILLION = 1_000_000;
const OVERWRITES = 10;

/** All files below the directory. */
function bytesIn(directory) {
  const files = readdirSync(directory, { withFileTypes: true, recursive: true }).filter((entry) => entry.isFile());
  return files.reduce((sum, { path, parentPath = path, name }) => sum + statSync(join(parentPath, name)).size, 0);
}

/** Some stores open at once and read later, so what counts is the first read. */
async function openTime({ open, values, directory }, expected) {
  const times = [];
  for (let n = 0; n < OPENS; n++) {
    const start = performance.now();
    const store = await open();
    const found = await (store.getSync ?? store.get)(keyOf(n));
    times.push(performance.now() - start);
    if (expected) values.check(found, n);
    else if (found !== undefined) throw new Error(`a record in the empty store in ${directory}`);
    await store.close();
  }
  return { figure: median(times) };
}

async function openEmpty(arena) {
  await (await arena.open()).close();
  return openTime(arena, false);
}

/** The memory of the process after each record was read once, in an order that has nothing to do with theirs. */
async function memory({ open, records, values }) {
  const store = await open();
  for (const n of shuffled(records, 10)) {
    const value = store.getSync === undefined ? await store.get(keyOf(n)) : store.getSync(keyOf(n));
    if (value === undefined || values.idOf(value) === 0) throw new Error(`record ${n} is missing`);
  }
  const { rss } = process.memoryUsage();
  await store.close();
  return { figure: rss };
}

async function compacted(arena) {
  const store = await arena.open();
  await store.compact?.();
  await store.close();
  return { figure: bytesIn(arena.directory), after: untouched(arena.records) };
}

async function overwritten(arena) {
  for (let time = 1; time <= OVERWRITES; time++) await load(arena, time);
  const figure = bytesIn(arena.directory);
  return { figure, after: { ...untouched(arena.records), generation: () => OVERWRITES } };
}

const measuring = (id, theme, title, unit, start, set, measure, more) => ({
  id,
  theme,
  title,
  unit,
  level: 'os',
  start,
  set,
  warmUp: false,
  measure,
  ...more,
});

/** @type {import('./workload.d.ts').Workload[]} */
export const lifecycle = [
  measuring(
    'open',
    'opening',
    'open, and the first read',
    'milliseconds',
    'loaded',
    'quick',
    (a) => openTime(a, true),
    {
      records: MILLION,
    },
  ),
  measuring(
    'open-empty',
    'opening',
    'open an empty one, and the first read',
    'milliseconds',
    'empty',
    'quick',
    openEmpty,
  ),
  measuring('memory', 'memory', 'memory of the process after reading everything', 'bytes', 'loaded', 'default', memory),
  measuring('size', 'space', 'on disk after loading', 'bytes', 'loaded', 'default', async ({ directory }) => ({
    figure: bytesIn(directory),
  })),
  measuring('size-compacted', 'space', 'on disk after loading and compacting', 'bytes', 'copy', 'quick', compacted),
  measuring(
    'size-overwritten',
    'space',
    'on disk after overwriting everything 10 times',
    'bytes',
    'copy',
    'full',
    overwritten,
  ),
];
