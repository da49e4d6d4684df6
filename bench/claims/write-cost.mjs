// What a write costs in a small table and in a large one:  node bench/claims/write-cost.mjs <small> <large>
// Sends the medians of all rounds, in microseconds for each write.

import { CairnDB } from 'cairndb';
import { keyOf, random, recordOf } from '../data.mjs';
import { median } from '../statistics.mjs';
import { ANY_KEY, ONE_BY_ONE } from './terms.mjs';

const ROUNDS = 60;
const ENOUGH = 10;
const ALONE = 100;
const GROUP = 1000;
const HOT = 1000;
const TABLE = 'records';
const VALUE = recordOf(1);

const next = random(7);
const someKey = (size) => keyOf(Math.floor(next() * size));
let fresh = 0;

const keys = {
  'overwrites one of 1,000 keys': () => someKey(HOT),
  [ANY_KEY]: someKey,
  'adds a key': (size) => `${someKey(size)}+${fresh++}`,
};

const ways = {
  [ONE_BY_ONE]: {
    count: ALONE,
    async write(db, keys) {
      for (const key of keys) await db.write(TABLE, key, VALUE);
    },
  },
  'in groups of 1,000': {
    count: GROUP,
    write: (db, keys) => Promise.all(keys.map((key) => db.write(TABLE, key, VALUE))),
  },
};

const kinds = Object.keys(keys).flatMap((which) => Object.keys(ways).map((how) => ({ which, how })));

async function measure({ db, size }, { which, how }) {
  const { count, write } = ways[how];
  const chosen = Array.from({ length: count }, () => keys[which](size));
  const switches = process.resourceUsage().involuntaryContextSwitches;
  const start = performance.now();
  await write(db, chosen);
  const time = (performance.now() - start) * 1000;
  const disturbed = process.resourceUsage().involuntaryContextSwitches > switches;
  // The table keeps its size.
  if (which === 'adds a key') await Promise.all(chosen.map((key) => db.delete(TABLE, key)));
  return { cost: time / count, disturbed };
}

async function openTable(directory) {
  const db = await CairnDB.open(directory);
  return { db, size: await db.getTableSize(TABLE) };
}

const small = await openTable(process.argv[2]);
const large = await openTable(process.argv[3]);
const rounds = [];
for (let round = 0; round <= ROUNDS; round++) {
  const figures = [];
  for (const kind of kinds) {
    // Turn about, so that neither is always the one that runs after the other.
    const first = round % 2 === 0 ? await measure(small, kind) : undefined;
    const figure = { large: await measure(large, kind), small: first ?? (await measure(small, kind)) };
    figures.push(figure);
  }
  // The first round warms up.
  if (round > 0) rounds.push(figures);
}
for (const { db } of [small, large]) await db.close();

/** The median cost. What was measured while the system gave the processor to somebody else says little about us. */
function medianOf(kind, table) {
  const figures = rounds.map((round) => round[kind][table]);
  const clean = figures.filter(({ disturbed }) => !disturbed);
  return median((clean.length >= ENOUGH ? clean : figures).map(({ cost }) => cost));
}

process.send(
  kinds.map((kind, index) => ({ ...kind, small: medianOf(index, 'small'), large: medianOf(index, 'large') })),
);
