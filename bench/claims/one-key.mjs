// 10,000 concurrent writes to one key:  node bench/claims/one-key.mjs <directory>

import { CairnDB } from 'cairndb';

const WRITES = 10_000;
const numbers = Array.from({ length: WRITES }, (_, n) => n);

let db = await CairnDB.open(process.argv[2]);
await Promise.all(numbers.map((n) => db.write('t', 'plain', { n })));
// Write n insists on version n: if all succeed, the versions were 1 to 10,000 in the order of the calls.
const outcomes = await Promise.allSettled(numbers.map((n) => db.write('t', 'in turn', { n }, { ifVersion: n })));
const inTurn = outcomes.filter(({ status }) => status === 'fulfilled').length;

async function look() {
  const [plain, turned] = await Promise.all(['plain', 'in turn'].map((key) => db.getRecord('t', key)));
  return { version: plain.version, last: plain.value.n, turnVersion: turned.version, turnLast: turned.value.n };
}

const before = await look();
await db.close();
db = await CairnDB.open(process.argv[2]);
const after = await look();
await db.close();
process.send({ writes: WRITES, inTurn, before, after });
