// Many of what there is usually one of: threads, and tables.

import { only } from '../contents.mjs';
import { idOf, keyOf, random, shuffled } from '../data.mjs';
import { repeat, repeatInFlight } from '../timed.mjs';

const THREADS = 2;
const TABLES = 10_000;
const IN_FLIGHT = 1000;

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

async function readInThreads(arena) {
  const parts = await arena.threads('read', THREADS);
  return { figure: sum(parts.map(({ rate }) => rate)) };
}

/** Each thread writes records of its own: the numbers that leave its index as the remainder. */
async function writeInThreads(arena) {
  const parts = await arena.threads('write', THREADS);
  const numbers = parts.flatMap(({ done }, index) => Array.from({ length: done }, (_, n) => n * THREADS + index));
  return { figure: sum(parts.map(({ rate }) => rate)), after: only(numbers) };
}

const tableOf = (n) => `table-${n % TABLES}`;

/** A handle for each table that has been used, as a program would keep it. */
function tablesOf(store) {
  const open = new Map();
  return (n) => {
    const name = tableOf(n);
    if (!open.has(name)) open.set(name, store.table(name));
    return open.get(name);
  };
}

async function verifyTables(store, { values }, numbers) {
  const table = tablesOf(store);
  for (const n of numbers) values.check(await table(n).get(keyOf(n)), n);
}

async function writeTables(arena) {
  const numbers = shuffled(arena.records);
  const store = await arena.open();
  const table = tablesOf(store);
  const { done, rate } = await repeatInFlight(arena.seconds, numbers, IN_FLIGHT, (n) =>
    table(n).write(keyOf(n), arena.values.valueOf(n)),
  );
  await store.flush();
  await store.close();
  return { figure: rate, verify: (reopened) => verifyTables(reopened, arena, numbers.subarray(0, done)) };
}

/** Fills the tables and reads from all of them. */
async function readTables(arena) {
  const store = await arena.open();
  const table = tablesOf(store);
  const numbers = shuffled(arena.records);
  await repeatInFlight(Number.POSITIVE_INFINITY, numbers, IN_FLIGHT, (n) =>
    table(n).write(keyOf(n), arena.values.valueOf(n)),
  );
  const next = random(12);
  const { rate } = await repeat(arena.seconds, async () => {
    const n = Math.floor(next() * arena.records);
    const value = await table(n).get(keyOf(n));
    if (arena.values.idOf(value) !== idOf(n)) throw new Error('a read gave a wrong value');
    return 1;
  });
  await store.close();
  return { figure: rate };
}

const working = (id, theme, title, start, measure, needs) => ({
  id,
  theme,
  title,
  unit: 'operations per second',
  level: 'os',
  start,
  set: 'full',
  needs,
  measure,
});

/** @type {import('./workload.d.ts').Workload[]} */
export const many = [
  working('threads-read', 'threads', 'two threads: reads, uniform', 'loaded', readInThreads, 'threads'),
  working('threads-write', 'threads', 'two threads: writes, 1,000 in flight each', 'empty', writeInThreads, 'threads'),
  working('tables-write', 'tables', '10,000 tables: writes, 1,000 in flight', 'empty', writeTables),
  working('tables-read', 'tables', '10,000 tables: await get, uniform', 'empty', readTables),
];
