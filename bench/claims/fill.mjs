// Fills a new database, compacts it, and closes it:  node bench/claims/fill.mjs <directory> <records> [<filler bytes>]
// Without filler the records are those of the benchmark; with it they have one more field of so many characters.

import { CairnDB } from 'cairndb';
import { keyOf, recordOf, shuffled } from '../data.mjs';

const BATCH = 1000;

const [directory, records, fillerBytes = '0'] = process.argv.slice(2);
const filler = 'x'.repeat(Number(fillerBytes));

const contents = (n) => (filler === '' ? recordOf(n) : { ...recordOf(n), filler });

const db = await CairnDB.open(directory);
const numbers = shuffled(Number(records));
for (let start = 0; start < numbers.length; start += BATCH) {
  const batch = Array.from(numbers.subarray(start, start + BATCH), (n) => ({
    type: 'put',
    table: 'records',
    key: keyOf(n),
    value: contents(n),
  }));
  await db.batch(batch);
}
// What loading leaves to merge and to remove would go by itself within seconds, but not before it is measured.
await db.compact();
const { liveBytes } = await db.stats();
await db.close();
process.send({ liveBytes });
