// The writer process of the demo: writes orders without end, and prints the number of each one once it is acknowledged.
// Somebody kills it.

import { writeSync } from 'node:fs';
import { CairnDB } from 'cairndb';
import { order, orderKey } from './lib/data.mjs';

const IN_FLIGHT = 64;

const db = await CairnDB.open(process.argv[2]);
let next = 0;

async function writeOrders() {
  for (;;) {
    const number = next++;
    await db.write('orders', orderKey(number), order(number));
    // Not buffered in this process, which may be dead at the next instruction. It throws when nobody listens any more.
    writeSync(1, `${number}\n`);
  }
}

await Promise.all(Array.from({ length: IN_FLIGHT }, writeOrders));
