// Overwrites 10,000 keys 100 times, and compacts:  node bench/claims/space.mjs <directory>

import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { CairnDB } from 'cairndb';
import { keyOf, recordOf, shuffled } from '../data.mjs';

const KEYS = 10_000;
const ROUNDS = 100;
const GROUP = 1000;

const contents = (n, round) => ({ ...recordOf(n), score: round });
const directory = process.argv[2];
const db = await CairnDB.open(directory);

const bytesOnDisk = () => readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);

for (let round = 1; round <= ROUNDS; round++) {
  const numbers = shuffled(KEYS, round);
  for (let start = 0; start < KEYS; start += GROUP) {
    const group = Array.from(numbers.subarray(start, start + GROUP));
    await Promise.all(group.map((n) => db.write('records', keyOf(n), contents(n, round))));
  }
}
const bytesBefore = bytesOnDisk();
await db.compact();
for (let n = 0; n < KEYS; n++) {
  if (db.getSync('records', keyOf(n))?.score !== ROUNDS) throw new Error(`${keyOf(n)} has a wrong value`);
}
const bytes = bytesOnDisk();
const stats = await db.stats();
await db.close();
process.send({ bytesBefore, bytes, stats });
