// Changes of the records of a loaded store.

import { untouched } from '../contents.mjs';
import { keyOf, random, shuffled } from '../data.mjs';
import { repeat, repeatInFlight } from '../timed.mjs';

const GROUP = 1000;

const changing = (id, title, set, measure) => ({
  id,
  theme: 'changes',
  title,
  unit: 'operations per second',
  level: 'os',
  start: 'copy',
  set,
  measure,
});

/** Runs in the opened store. Resolves to what `run` does, after everything is on disk. */
export async function within({ open }, run) {
  const store = await open();
  const result = await run(store);
  await store.flush();
  await store.close();
  return result;
}

async function deleteMany(arena, remove) {
  const numbers = shuffled(arena.records, 3);
  const keys = Array.from(numbers, keyOf);
  const { done, rate } = await within(arena, (store) => remove(store, keys, arena.seconds));
  const gone = new Set(numbers.subarray(0, done));
  const remaining = untouched(arena.records - done, (n) => n < arena.records && !gone.has(n));
  return { figure: rate, after: remaining };
}

const deleteInFlight = (store, keys, seconds) => repeatInFlight(seconds, keys, GROUP, (key) => store.delete(key));

const deleteOneByOne = (store, keys, seconds) =>
  repeat(seconds, async (done) => {
    if (done === keys.length) return 0;
    await store.delete(keys[done]);
    return 1;
  });

/** Every record once more, in another order, with another value. */
async function overwrite(arena) {
  const numbers = shuffled(arena.records, 5);
  const { done, rate } = await within(arena, (store) =>
    repeatInFlight(arena.seconds, numbers, GROUP, (n) => store.write(keyOf(n), arena.values.valueOf(n, 1))),
  );
  const again = new Set(numbers.subarray(0, done));
  return { figure: rate, after: { ...untouched(arena.records), generation: (n) => (again.has(n) ? 1 : 0) } };
}

/** A thousand operations under way, every second one a write, the others reads, of any record. */
async function mixed(arena) {
  const next = random(6);
  const written = new Set();
  const operation = (store) => (n) => {
    if (next() < 0.5) return store.get(keyOf(n));
    written.add(n);
    return store.write(keyOf(n), arena.values.valueOf(n, 1));
  };
  const group = () => Array.from({ length: GROUP }, () => Math.floor(next() * arena.records));
  const { rate } = await within(arena, (store) =>
    repeat(arena.seconds, async () => {
      await Promise.all(group().map(operation(store)));
      return GROUP;
    }),
  );
  return { figure: rate, after: { ...untouched(arena.records), generation: (n) => (written.has(n) ? 1 : 0) } };
}

/** @type {import('./workload.d.ts').Workload[]} */
export const changes = [
  changing('delete-1000', 'delete, 1,000 in flight', 'default', (arena) => deleteMany(arena, deleteInFlight)),
  changing('delete-1', 'delete, awaited one by one', 'full', (arena) => deleteMany(arena, deleteOneByOne)),
  changing('overwrite-1000', 'overwrite, 1,000 in flight', 'full', overwrite),
  changing('mixed-1000', 'half reads, half writes, 1,000 in flight', 'full', mixed),
];
