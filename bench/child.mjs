// Runs one workload against one store, in a process of its own:
//   node bench/child.mjs <store> <workload> <records> <empty directory>
// Tells the parent { figure }, or { unavailable } if the store is not installed.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { keyOf, numberOf, recordOf, shuffled } from './data.mjs';
import { workloads } from './workloads.mjs';

const WARM_UP = { size: 1000, share: 0.1 };
const GROUP = 1000;

const [storeName, workloadName, size, directory] = process.argv.slice(2);
const workload = workloads[workloadName];

/** The module of the store, or undefined if its package is not installed or has no binary for this platform. */
async function importStore() {
  try {
    return await import(`./stores/${storeName}.mjs`);
  } catch (error) {
    if (storeName === 'cairndb') throw error;
    process.send({ unavailable: error.message.split('\n')[0] });
    return undefined;
  }
}

function arena(store, name, { size, share }) {
  const path = join(directory, name);
  mkdirSync(path);
  return { directory: path, open: () => store.open(path, workload.level), size, share };
}

/** Fills the store, and closes it, so that the records are where the store keeps them in the long run. */
async function load({ open, size }) {
  const store = await open();
  const numbers = shuffled(size);
  for (let start = 0; start < size; start += GROUP) {
    await store.writeBatch(Array.from(numbers.subarray(start, start + GROUP), (n) => [keyOf(n), recordOf(n)]));
  }
  await store.close();
}

/** Opens the store again, and compares every record with what was written. */
async function verify({ open, size }) {
  const missing = new Set(workload.after(size));
  const store = await open();
  await store.scan((key, value) => {
    const n = numberOf(key);
    if (!missing.delete(n)) throw new Error(`${key} must not be there`);
    if (JSON.stringify(value) !== JSON.stringify(recordOf(n))) throw new Error(`${key} has a wrong value`);
  });
  await store.close();
  if (missing.size > 0) throw new Error(`${missing.size} records are missing`);
}

async function measure(arena) {
  if (workload.loaded) await load(arena);
  return workload.measure(arena);
}

const store = await importStore();
if (store !== undefined) {
  await measure(arena(store, 'warm-up', WARM_UP));
  const measured = arena(store, 'measured', { size: Number(size), share: 1 });
  const figure = await measure(measured);
  await verify(measured);
  process.send({ figure });
}
