import { changes } from './changes.mjs';
import { lifecycle } from './lifecycle.mjs';
import { many } from './many.mjs';
import { reads } from './reads.mjs';
import { scans } from './scans.mjs';
import { stalls } from './stalls.mjs';
import { writes } from './writes.mjs';
import { ycsbs } from './ycsb.mjs';

/** What is measured, in the order of the report. @type {import('./workload.d.ts').Workload[]} */
export const workloads = [...reads, ...writes, ...stalls, ...scans, ...changes, ...ycsbs, ...lifecycle, ...many];

export const workloadOf = (id) => workloads.find((workload) => workload.id === id);
