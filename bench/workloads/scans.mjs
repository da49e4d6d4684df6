// Reads of many records in the order of their keys.

import { idOf, keyOf, random } from '../data.mjs';
import { repeat } from '../timed.mjs';

const PREFIX = 100;

async function scanAll(store, { records, values }) {
  let found = 0;
  await store.scan((_, value) => {
    if (values.idOf(value) > 0) found += 1;
  });
  if (found !== records) throw new Error(`the scan gave ${found} records instead of ${records}`);
  return found;
}

async function scanPrefix(store, { values }, first) {
  let next = first;
  await store.range(keyOf(first), PREFIX, (_, value) => {
    if (values.idOf(value) !== idOf(next)) throw new Error('the scan gave a wrong record');
    next += 1;
  });
  if (next !== first + PREFIX) throw new Error(`the scan gave ${next - first} records instead of ${PREFIX}`);
  return 1;
}

/** Begins where the numbers of the keys are multiples of 100, which have a prefix in common. */
function prefixes({ records }) {
  const next = random(4);
  return () => Math.floor((next() * records) / PREFIX) * PREFIX;
}

function scanning(id, title, needs, stepOf) {
  return {
    id,
    theme: 'scans',
    title,
    unit: 'operations per second',
    level: 'os',
    start: 'loaded',
    set: 'quick',
    needs,
    async measure(arena) {
      const store = await arena.open();
      const { rate } = await repeat(arena.seconds, stepOf(store, arena));
      await store.close();
      return { figure: rate };
    },
  };
}

/** @type {import('./workload.d.ts').Workload[]} */
export const scans = [
  scanning('scan', 'scan, decoded (records)', undefined, (store, arena) => () => scanAll(store, arena)),
  scanning('scan-prefix', 'scan of a prefix of 100 records', 'range', (store, arena) => {
    const next = prefixes(arena);
    return () => scanPrefix(store, arena, next());
  }),
];
