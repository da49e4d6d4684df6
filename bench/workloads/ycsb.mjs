// The core workloads of YCSB, with records of 1 KB, and keys drawn as they say there:
// https://github.com/brianfrankcooper/YCSB/wiki/Core-Workloads

import { idOf, keyOf, random } from '../data.mjs';
import { repeatSideBySide } from '../timed.mjs';
import { scrambled, zipfian } from '../zipf.mjs';
import { within } from './changes.mjs';

/** As many operations are under way, each of a client that awaits it before the next. */
const CLIENTS = 16;
const LONGEST_SCAN = 100;

/** What the clients know of the store: how many records there are, and how often each was written. */
function stateOf({ records, values }) {
  const generations = new Map();
  let inserted = records;
  return {
    count: () => inserted,
    insert: (store) => {
      const n = inserted++;
      return store.write(keyOf(n), values.valueOf(n));
    },
    update: (store, n) => {
      const generation = (generations.get(n) ?? 0) + 1;
      generations.set(n, generation);
      return store.write(keyOf(n), values.valueOf(n, generation));
    },
    after: () => ({
      count: inserted,
      has: (n) => n < inserted,
      generation: (n) => generations.get(n) ?? 0,
    }),
  };
}

const operations = {
  async read(store, { values }, n) {
    if (values.idOf(await store.get(keyOf(n))) !== idOf(n)) throw new Error('a wrong record');
  },
  update: (store, { state }, n) => state.update(store, n),
  insert: (store, { state }) => state.insert(store),
  scan: (store, { next }, n) => store.range(keyOf(n), 1 + Math.floor(next() * LONGEST_SCAN), () => {}),
  async readModifyWrite(store, context, n) {
    await operations.read(store, context, n);
    await operations.update(store, context, n);
  },
};

/** The most recent records are the most popular ones. */
function latest({ records }, state) {
  const rank = zipfian(records, 8);
  // What is still under way may not be there yet.
  return () => Math.max(0, state.count() - 1 - CLIENTS - rank());
}

const popular = ({ records }) => scrambled(records, 8);

function ycsb(letter, title, set, { share, most, rest, choose = popular, needs }) {
  return {
    id: `ycsb-${letter}`,
    theme: 'ycsb',
    title: `YCSB ${letter.toUpperCase()}: ${title}`,
    unit: 'operations per second',
    level: 'os',
    start: 'copy',
    set,
    sizes: ['1KB'],
    needs,
    async measure(arena) {
      const state = stateOf(arena);
      const next = random(9);
      const key = choose(arena, state);
      const context = { values: arena.values, state, next };
      const { rate } = await within(arena, (store) =>
        repeatSideBySide(arena.seconds, CLIENTS, () => operations[next() < share ? most : rest](store, context, key())),
      );
      return { figure: rate, after: state.after() };
    },
  };
}

/** @type {import('./workload.d.ts').Workload[]} */
export const ycsbs = [
  ycsb('a', '1/2 reads, 1/2 updates', 'default', { share: 0.5, most: 'read', rest: 'update' }),
  ycsb('b', '95 % reads, 5 % updates', 'default', { share: 0.95, most: 'read', rest: 'update' }),
  ycsb('c', 'reads', 'default', { share: 1, most: 'read', rest: 'read' }),
  ycsb('d', '95 % reads of the latest, 5 % inserts', 'default', {
    share: 0.95,
    most: 'read',
    rest: 'insert',
    choose: latest,
  }),
  ycsb('e', '95 % short scans, 5 % inserts', 'default', { share: 0.95, most: 'scan', rest: 'insert', needs: 'range' }),
  ycsb('f', '1/2 reads, 1/2 reads and updates', 'default', { share: 0.5, most: 'read', rest: 'readModifyWrite' }),
];
