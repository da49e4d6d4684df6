// Where a workload runs: a store in a directory, with records of one size and kind.

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { valuesOf } from './values.mjs';

/** Runs so many worker threads, which begin together, and resolves to what each did. */
async function runThreads(job, work, count) {
  const workers = Array.from(
    { length: count },
    (_, index) => new Worker(new URL('./thread.mjs', import.meta.url), { workerData: { job, work, index, count } }),
  );
  // Asked for now, since a thread that ends gives its last message and this in the same turn.
  const ends = workers.map((worker) => once(worker, 'exit'));
  // The first message says that a thread is ready, the second one what it did.
  await Promise.all(workers.map((worker) => once(worker, 'message')));
  const results = workers.map((worker) => once(worker, 'message'));
  for (const worker of workers) worker.postMessage('begin');
  const parts = await Promise.all(results);
  await Promise.all(ends);
  return parts.map(([part]) => part);
}

/**
 * @param {{ open: import('./stores/store.d.ts').Open }} module of the store
 * @param {import('./child.mjs').Job} job
 * @returns {import('./workloads/workload.d.ts').Arena}
 */
export function arenaOf({ open }, job) {
  const { directory, records, value, kind, settings, seconds } = job;
  const values = valuesOf(value, kind);
  const all = { ...settings, kind, bytes: values.bytes };
  return {
    directory,
    records,
    values,
    seconds,
    open: () => open(directory, all),
    threads: (work, count) => runThreads(job, work, count),
  };
}
