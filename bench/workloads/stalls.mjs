// For how long the event loop stands still while a thousand writes are under way.

import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { only } from '../contents.mjs';
import { keyOf, shuffled } from '../data.mjs';
import { repeat } from '../timed.mjs';

const IN_FLIGHT = 1000;
/** The timer of the monitor runs so often, in milliseconds; what it is late beyond that is a stall. */
const RESOLUTION = 1;
const SETTLE = 5 * RESOLUTION;

/** Begins each thousand in a turn of its own, as requests arrive: a store that resolves at once would never let go. */
function writeInTurns(store, entries, seconds) {
  return repeat(seconds, async (done) => {
    const group = entries.slice(done, done + IN_FLIGHT);
    await Promise.all(group.map(([key, value]) => store.write(key, value)));
    await nextTurn();
    return group.length;
  });
}

async function longestStall(arena) {
  const numbers = shuffled(arena.records);
  const entries = Array.from(numbers, (n) => [keyOf(n), arena.values.valueOf(n)]);
  const store = await arena.open();
  const monitor = monitorEventLoopDelay({ resolution: RESOLUTION });
  monitor.enable();
  // The timer has to run before and after, or it would not see a stall at the beginning or the end.
  await sleep(SETTLE);
  const { done } = await writeInTurns(store, entries, arena.seconds);
  await sleep(SETTLE);
  monitor.disable();
  await store.flush();
  await store.close();
  return { figure: Math.max(0, monitor.max / 1e6 - RESOLUTION), after: only(numbers.subarray(0, done)) };
}

const stalling = (id, title, level, set) => ({
  id,
  theme: 'stalls',
  title,
  unit: 'milliseconds',
  level,
  start: 'empty',
  set,
  measure: longestStall,
});

/** @type {import('./workload.d.ts').Workload[]} */
export const stalls = [
  stalling('stall-os', 'longest stall of the event loop, 1,000 writes in flight', 'os', 'quick'),
  stalling('stall-full', 'longest stall of the event loop, 1,000 durable writes in flight', 'full', 'default'),
];
