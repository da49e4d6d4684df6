// New records into an empty store.

import { only } from '../contents.mjs';
import { keyOf, shuffled } from '../data.mjs';
import { repeat, repeatInFlight } from '../timed.mjs';

const BATCH = 1000;
/** How much of values is made ahead of the measurement. */
const PREPARED_BYTES = 200e6;

function entriesOf({ records, values }) {
  const numbers = shuffled(records).subarray(0, Math.ceil(PREPARED_BYTES / values.bytes));
  return Array.from(numbers, (n) => [keyOf(n), values.valueOf(n), n]);
}

/** Writes until all records are there, or the time is over. */
async function measure(arena, write) {
  const entries = entriesOf(arena);
  const store = await arena.open();
  const { done, rate } = await write(store, entries, arena.seconds);
  await store.flush();
  await store.close();
  return { figure: rate, after: only(entries.slice(0, done).map(([, , n]) => n)) };
}

const inFlight = (count) => (store, entries, seconds) =>
  repeatInFlight(seconds, entries, count, ([key, value]) => store.write(key, value));

const oneByOne = (store, entries, seconds) =>
  repeat(seconds, async (done) => {
    if (done === entries.length) return 0;
    const [key, value] = entries[done];
    await store.write(key, value);
    return 1;
  });

const inBatches = (store, entries, seconds) =>
  repeat(seconds, async (done) => {
    const batch = entries.slice(done, done + BATCH);
    if (batch.length > 0) await store.writeBatch(batch);
    return batch.length;
  });

const writing = (theme, level) => (id, title, set, write) => ({
  id,
  theme,
  title,
  unit: 'operations per second',
  level,
  start: 'empty',
  set,
  measure: (arena) => measure(arena, write),
});

const atOs = writing('writes', 'os');
const atFull = writing('durable', 'full');

/** @type {import('./workload.d.ts').Workload[]} */
export const writes = [
  atOs('write-1', 'write, awaited one by one', 'quick', oneByOne),
  atOs('write-1000', 'write, 1,000 in flight', 'quick', inFlight(1000)),
  atOs('write-batch', 'write, batches of 1,000', 'quick', inBatches),
  atFull('durable-1', 'durable write, awaited one by one', 'quick', oneByOne),
  atFull('durable-10', 'durable write, 10 in flight', 'default', inFlight(10)),
  atFull('durable-100', 'durable write, 100 in flight', 'default', inFlight(100)),
  atFull('durable-1000', 'durable write, 1,000 in flight', 'quick', inFlight(1000)),
  atFull('durable-batch', 'durable write, batches of 1,000', 'full', inBatches),
];
