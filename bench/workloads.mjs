// What is measured. Each workload gets an arena: a directory in which there is no store, or a closed one that holds all
// records, and gives one figure.

import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { keyOf, random, recordOf, shuffled } from './data.mjs';
import { median } from './statistics.mjs';

const GROUP = 1000;
const HOT = 1000;
const READS = 200_000;
// A read on a thread of its own costs some stores a hundred times as much.
const AWAITED_READS = 50_000;
const OPENS = 5;

/**
 * @typedef {object} Arena
 * @property {string} directory
 * @property {() => Promise<import('./stores/store.d.ts').Store>} open
 * @property {number} size how many records there are
 * @property {number} share of the operations to do: a part of them to warm up, 1 to measure
 *
 * @typedef {object} Workload
 * @property {string} title
 * @property {'os' | 'full'} level
 * @property {'operations per second' | 'milliseconds' | 'bytes'} unit
 * @property {boolean} loaded whether the store is to hold all records
 * @property {(arena: Arena) => Promise<number>} measure
 * @property {(size: number) => Iterable<number>} after the numbers of the records that must be there in the end
 */

const all = (size) => shuffled(size);
const none = () => [];

/** Opens the store, and runs so many operations in it. Resolves to their rate. */
async function rate({ open }, operations, run) {
  const store = await open();
  const start = performance.now();
  await run(store);
  const seconds = (performance.now() - start) / 1000;
  await store.flush();
  await store.close();
  return operations / seconds;
}

/** Does `begin` for every item, 1,000 at a time: the next ones begin when all of these are done. */
async function inFlight(items, begin) {
  for (let start = 0; start < items.length; start += GROUP) {
    await Promise.all(items.slice(start, start + GROUP).map(begin));
  }
}

/** A workload that writes new records into an empty store, at most `limit` of them. */
function writing(title, level, limit, write) {
  const numbers = (size, share = 1) => all(size).subarray(0, limit * share);
  return {
    title,
    level,
    unit: 'operations per second',
    loaded: false,
    after: numbers,
    measure(arena) {
      const entries = Array.from(numbers(arena.size, arena.share), (n) => [keyOf(n), recordOf(n)]);
      return rate(arena, entries.length, (store) => write(store, entries));
    },
  };
}

async function writeOneByOne(store, entries) {
  for (const [key, value] of entries) await store.write(key, value);
}

const writeInFlight = (store, entries) => inFlight(entries, ([key, value]) => store.write(key, value));

async function writeInBatches(store, entries) {
  for (let start = 0; start < entries.length; start += GROUP) {
    await store.writeBatch(entries.slice(start, start + GROUP));
  }
}

/** A workload on a store that holds all records, which stay as they are. */
const onLoaded = (title, unit, measure) => ({ title, level: 'os', unit, loaded: true, after: all, measure });

/** A workload that reads `limit` times, in random order, from `distinct` of the records. */
function reading(title, limit, distinct, read) {
  return onLoaded(title, 'operations per second', (arena) => {
    const chosen = all(arena.size).subarray(0, distinct);
    const next = random(2);
    const numbers = Array.from({ length: limit * arena.share }, () => chosen[Math.floor(next() * chosen.length)]);
    const keys = numbers.map(keyOf);
    const expected = numbers.reduce((sum, n) => sum + recordOf(n).id, 0);
    return rate(arena, keys.length, async (store) => {
      if ((await read(store, keys)) !== expected) throw new Error('a read gave a wrong value');
    });
  });
}

async function readSync(store, keys) {
  let sum = 0;
  for (const key of keys) sum += store.getSync(key).id;
  return sum;
}

async function readAwaited(store, keys) {
  let sum = 0;
  for (const key of keys) sum += (await store.get(key)).id;
  return sum;
}

/** Scans the whole table, more than once if it is small. */
function scan(arena) {
  const scans = Math.ceil((READS * arena.share) / arena.size);
  const expected = scans * arena.size;
  return rate(arena, expected, async (store) => {
    let found = 0;
    for (let n = 0; n < scans; n++) {
      await store.scan((_, value) => {
        if (value.id > 0) found += 1;
      });
    }
    if (found !== expected) throw new Error(`the scan gave ${found} records instead of ${expected}`);
  });
}

function deleteAll(arena) {
  const keys = Array.from(shuffled(arena.size, 3), keyOf);
  return rate(arena, keys.length, (store) => inFlight(keys, (key) => store.delete(key)));
}

/** Some stores open at once and read later, so what counts is the first read. */
async function openTime({ open }) {
  const times = [];
  for (let n = 0; n < OPENS; n++) {
    const start = performance.now();
    const store = await open();
    if (store.getSync(keyOf(n))?.id !== recordOf(n).id) throw new Error('a read after opening gave a wrong value');
    times.push(performance.now() - start);
    await store.close();
  }
  return median(times);
}

async function bytesOnDisk({ directory }) {
  const sizes = readdirSync(directory).map((name) => statSync(join(directory, name)).size);
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** @type {Record<string, Workload>} */
export const workloads = {
  writeOneByOne: writing('write, awaited one by one', 'os', 5000, writeOneByOne),
  writeInFlight: writing('write, 1,000 in flight', 'os', Number.POSITIVE_INFINITY, writeInFlight),
  writeInBatches: writing('write, batches of 1,000', 'os', Number.POSITIVE_INFINITY, writeInBatches),
  durableOneByOne: writing('durable write, awaited one by one', 'full', 1000, writeOneByOne),
  durableInFlight: writing('durable write, 1,000 in flight', 'full', 50_000, writeInFlight),
  getSyncHot: reading('getSync, 1,000 hot keys', READS, HOT, readSync),
  getSyncUniform: reading('getSync, uniform', READS, Number.POSITIVE_INFINITY, readSync),
  getHot: reading('await get, 1,000 hot keys', AWAITED_READS, HOT, readAwaited),
  getUniform: reading('await get, uniform', AWAITED_READS, Number.POSITIVE_INFINITY, readAwaited),
  scan: onLoaded('scan, decoded', 'operations per second', scan),
  delete: { ...onLoaded('delete, 1,000 in flight', 'operations per second', deleteAll), after: none },
  open: onLoaded('open, and the first read', 'milliseconds', openTime),
  size: onLoaded('on disk after close', 'bytes', bytesOnDisk),
};
