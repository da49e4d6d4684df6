// A worker thread of arena.mjs: opens the store, says that it is ready, and works once it is told to.

import { once } from 'node:events';
import { parentPort, workerData } from 'node:worker_threads';
import { arenaOf } from './arena.mjs';
import { keyOf } from './data.mjs';
import { repeatInFlight } from './timed.mjs';
import { drawn, readAwaited, readSync } from './workloads/reads.mjs';

const IN_FLIGHT = 1000;

const { job, work, index, count } = workerData;

const works = {
  read(store, arena) {
    const chosen = drawn(arena, Number.POSITIVE_INFINITY);
    const read = store.getSync === undefined ? readAwaited : readSync;
    return () => read(store, chosen, arena.values.idOf, arena.seconds);
  },
  /** The records whose number leaves the index of this thread as the remainder. */
  write(store, { records, values, seconds }) {
    const numbers = Array.from({ length: Math.floor(records / count) }, (_, n) => n * count + index);
    const entries = numbers.map((n) => [keyOf(n), values.valueOf(n)]);
    return () => repeatInFlight(seconds, entries, IN_FLIGHT, ([key, value]) => store.write(key, value));
  },
};

const arena = arenaOf(await import(`./stores/${job.module}.mjs`), job);
const store = await arena.open();
const run = works[work](store, arena);
parentPort.postMessage('ready');
await once(parentPort, 'message');
const part = await run();
await store.flush();
await store.close();
parentPort.postMessage(part);
parentPort.close();
