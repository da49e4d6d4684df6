// Does one job in a process of its own:  node bench/child.mjs <job as JSON>
// Tells the parent { figure } of a measurement, {} of other jobs, or { unavailable } if the store cannot be loaded here.

import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { arenaOf } from './arena.mjs';
import { untouched, verify } from './contents.mjs';
import { load } from './load.mjs';
import { workloadOf } from './workloads/index.mjs';

/**
 * @typedef {object} Job
 * @property {'load' | 'measure' | 'verify'} task
 * @property {string} module of the store
 * @property {boolean} required whether it is an error that the store cannot be loaded
 * @property {boolean} keepsNothing
 * @property {object} settings of the store, but for the kind and size of the values
 * @property {number} records
 * @property {string} value
 * @property {'object' | 'buffer'} kind
 * @property {string} directory of the store that holds all records; to measure, an empty one
 * @property {string} [workload]
 * @property {string} [loaded] the directory of the store that holds all records
 * @property {number} [seconds] for how long to measure
 */

/** Long enough for the compiler of JavaScript to have seen what is measured. */
const WARM_UP = 0.3;

/** @type {Job} */
const job = JSON.parse(process.argv[2]);

/** The module of the store, or undefined if its package is not installed, or has no binary or mode for this machine. */
async function importStore() {
  try {
    const module = await import(`./stores/${job.module}.mjs`);
    await module.probe?.(job.settings);
    return module;
  } catch (error) {
    if (job.required) throw error;
    process.send({ unavailable: error.message.split('\n')[0] });
    return undefined;
  }
}

/** Prepares the directory that the workload is to begin with. */
function directoryFor(start, name) {
  if (start === 'loaded') return job.loaded;
  const directory = join(job.directory, name);
  if (start === 'copy') cpSync(job.loaded, directory, { recursive: true });
  else mkdirSync(directory);
  return directory;
}

async function check(arena, { after, verify: ownCheck }) {
  if (job.keepsNothing) return;
  if (after !== undefined) await verify(arena, after);
  if (ownCheck === undefined) return;
  const store = await arena.open();
  await ownCheck(store);
  await store.close();
}

async function measure(module) {
  const { start, warmUp = true, measure: run } = workloadOf(job.workload);
  if (warmUp) {
    await run(arenaOf(module, { ...job, directory: directoryFor(start, 'warm-up'), seconds: job.seconds * WARM_UP }));
  }
  const arena = arenaOf(module, { ...job, directory: directoryFor(start, 'measured') });
  const result = await run(arena);
  await check(arena, result);
  return { figure: result.figure };
}

const tasks = {
  measure,
  async load(module) {
    const arena = arenaOf(module, job);
    await load(arena);
    await verify(arena, untouched(job.records));
    return {};
  },
  async verify(module) {
    await verify(arenaOf(module, job), untouched(job.records));
    return {};
  },
};

const module = await importStore();
if (module !== undefined) process.send(await tasks[job.task](module));
