// Moves money between two accounts: both change or neither does, and nothing that somebody else wrote is overwritten.

import { CairnDB, CairnError } from 'cairndb';

const db = await CairnDB.open('./data', { durability: 'full' });

async function transfer(from, to, amount) {
  for (;;) {
    const [payer, payee] = await Promise.all([db.getRecord('accounts', from), db.getRecord('accounts', to)]);
    if (payer.value.balance < amount) return false;
    try {
      return await db.batch([
        change(from, payer, -amount),
        change(to, payee, amount),
        { type: 'put', table: 'transfers', key: `${from}/${payer.version}`, value: { to, amount } },
      ]);
    } catch (error) {
      if (!(error instanceof CairnError) || error.code !== 'ERR_CAIRN_CONFLICT') throw error;
      // Somebody was faster: look again.
    }
  }
}

function change(key, { value, version }, amount) {
  const changed = { ...value, balance: value.balance + amount };
  return { type: 'put', table: 'accounts', key, value: changed, ifVersion: version };
}

await db.batch([
  { type: 'put', table: 'accounts', key: 'ann', value: { balance: 100 } },
  { type: 'put', table: 'accounts', key: 'bob', value: { balance: 0 } },
]);

// Ten at once, of which only the first ones find enough money.
const done = await Promise.all(Array.from({ length: 10 }, () => transfer('ann', 'bob', 15)));
console.log(done.filter(Boolean).length);
//> 6
console.log(await db.getMany('accounts', ['ann', 'bob']));
//> [ { balance: 10 }, { balance: 90 } ]
console.log(await db.getTableSize('transfers'));
//> 6

await db.close();
