// How long opening takes:  node bench/claims/open-time.mjs <small> <large>
// Sends the medians of opening alone and of opening with the first read, in milliseconds.

import { CairnDB } from 'cairndb';
import { keyOf, recordOf } from '../data.mjs';
import { median } from '../statistics.mjs';

const ROUNDS = 25;
const names = ['small', 'large'];
const directories = process.argv.slice(2);

async function open(directory, n) {
  const start = performance.now();
  const db = await CairnDB.open(directory);
  const opened = performance.now();
  const value = db.getSync('records', keyOf(n));
  const read = performance.now();
  if (value.id !== recordOf(n).id) throw new Error('a wrong value was read');
  await db.close();
  return { open: opened - start, read: read - start };
}

const times = { small: [], large: [] };
for (let round = -1; round < ROUNDS; round++) {
  for (const [index, directory] of directories.entries()) {
    const time = await open(directory, round + 1);
    if (round >= 0) times[names[index]].push(time);
  }
}
const medians = (what) => ({
  small: median(times.small.map((time) => time[what])),
  large: median(times.large.map((time) => time[what])),
});
process.send({ open: medians('open'), read: medians('read') });
