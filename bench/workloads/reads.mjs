// Reads of single records of a loaded store, in random order.

import { idOf, keyOf, random, shuffled } from '../data.mjs';
import { repeat, repeatSync } from '../timed.mjs';

const HOT = 1024;
/** So many keys are drawn ahead, and read again from the first one on. */
const DRAWN = 131_072;

/** Keys of `distinct` of the records, drawn at random, with what identifies each of the values. */
export function drawn({ records }, distinct) {
  const chosen = shuffled(records).subarray(0, distinct);
  const next = random(2);
  const numbers = Uint32Array.from({ length: DRAWN }, () => chosen[Math.floor(next() * chosen.length)]);
  // A string that was put together has to be made one piece and hashed when it is first used; not while measuring.
  const keyAt = new Map(Array.from(chosen, (n) => [n, keyOf(n)]));
  return { keys: Array.from(numbers, (n) => keyAt.get(n)), ids: numbers.map(idOf) };
}

const wrong = () => {
  throw new Error('a read gave a wrong value');
};

export function readSync(store, { keys, ids }, idOfValue, seconds) {
  return repeatSync(seconds, (done) => {
    const at = done % DRAWN;
    if (idOfValue(store.getSync(keys[at])) !== ids[at]) wrong();
  });
}

const AWAITED = 64;

export function readAwaited(store, { keys, ids }, idOfValue, seconds) {
  return repeat(seconds, async (done) => {
    for (let n = done; n < done + AWAITED; n++) {
      const at = n % DRAWN;
      if (idOfValue(await store.get(keys[at])) !== ids[at]) wrong();
    }
    return AWAITED;
  });
}

const reading = (id, title, distinct, read, needs) => ({
  id,
  theme: 'reads',
  title,
  unit: 'operations per second',
  level: 'os',
  start: 'loaded',
  set: 'quick',
  sizes: ['95B', '1KB'],
  needs,
  warmUp: false,
  async measure(arena) {
    const chosen = drawn(arena, distinct);
    const store = await arena.open();
    // Of a store that goes on running: what it maps and keeps is mapped and kept, where there is room for it.
    await read(store, chosen, arena.values.idOf, arena.seconds);
    const { rate } = await read(store, chosen, arena.values.idOf, arena.seconds);
    await store.close();
    return { figure: rate };
  },
});

const ALL = Number.POSITIVE_INFINITY;

/** @type {import('./workload.d.ts').Workload[]} */
export const reads = [
  reading('getsync-hot', 'getSync, 1,024 hot keys', HOT, readSync, 'getSync'),
  reading('getsync-uniform', 'getSync, uniform', ALL, readSync, 'getSync'),
  reading('get-hot', 'await get, 1,024 hot keys', HOT, readAwaited),
  reading('get-uniform', 'await get, uniform', ALL, readAwaited),
];
