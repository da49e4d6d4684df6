// For how long the event loop stands still while a thousand writes are under way.

import { monitorEventLoopDelay } from 'node:perf_hooks';
import { only } from '../contents.mjs';
import { keyOf, shuffled } from '../data.mjs';
import { repeatInFlight } from '../timed.mjs';

const IN_FLIGHT = 1000;
/** The timer of the monitor runs so often, in milliseconds; what it is late beyond that is a stall. */
const RESOLUTION = 1;

async function longestStall(arena) {
  const numbers = shuffled(arena.records);
  const entries = Array.from(numbers, (n) => [keyOf(n), arena.values.valueOf(n)]);
  const store = await arena.open();
  const monitor = monitorEventLoopDelay({ resolution: RESOLUTION });
  monitor.enable();
  const { done } = await repeatInFlight(arena.seconds, entries, IN_FLIGHT, ([key, value]) => store.write(key, value));
  // The timer has to run once more, or it would not see a stall that lasts until here.
  await new Promise((resolve) => setTimeout(resolve, 2 * RESOLUTION));
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
