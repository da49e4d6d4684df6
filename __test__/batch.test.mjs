import assert from 'node:assert/strict';
import { test } from 'node:test';
import { alsoReopened, open, refusesToWrite, rejects, reopen } from './helpers.mjs';

const put = (table, key, value, more = {}) => ({ type: 'put', table, key, value, ...more });
const del = (table, key, more = {}) => ({ type: 'del', table, key, ...more });

test('a batch does all its operations, in any tables, and resolves to true', async (t) => {
  const db = await open(t);
  await db.write('b', 'old', 1);
  assert.equal(await db.batch([put('a', 'x', 1), put('b', 'y', { z: 2n }), del('b', 'old'), del('c', 'none')]), true);
  for await (const now of alsoReopened(t, db)) {
    assert.deepEqual(await now.get('a'), [['x', 1]]);
    assert.deepEqual(await now.get('b'), [['y', { z: 2n }]]);
    assert.equal(await now.getTableSize('c'), 0);
  }
});

test('an empty batch resolves to true and does nothing', async (t) => {
  const db = await open(t);
  assert.equal(await db.batch([]), true);
  assert.deepEqual(db.listTables(), []);
});

test('operations on one key take effect in their order', async (t) => {
  const db = await open(t);
  await db.batch([
    put('t', 'k', 1),
    put('t', 'k', 2),
    del('t', 'k'),
    put('t', 'k', 3),
    put('t', 'gone', 1),
    del('t', 'gone'),
  ]);
  assert.deepEqual(await db.get('t'), [['k', 3]]);
});

test('a batch whose operation conflicts does nothing, and says which one', async (t) => {
  const db = await open(t);
  await db.write('b', 'y', 'before');
  const batch = [put('a', 'x', 1), del('b', 'y'), put('b', 'y', 'after', { ifVersion: 7 }), put('c', 'z', 3)];
  await assert.rejects(db.batch(batch), { code: 'ERR_CAIRN_CONFLICT', message: /^Operation 2 of the batch.*"y".*"b"/ });
  for await (const now of alsoReopened(t, db)) {
    assert.deepEqual(now.listTables(), ['b']);
    assert.deepEqual(await now.get('b'), [['y', 'before']]);
    assert.equal((await now.getRecord('b', 'y')).version, 1);
  }
});

test('a conflict has the version that is there', async (t) => {
  const db = await open(t);
  await db.write('t', 'k', 1);
  await db.write('t', 'k', 2);
  for (const [operation, actualVersion] of [
    [put('t', 'k', 3, { ifVersion: 1 }), 2],
    [put('t', 'k', 3, { ifVersion: 0 }), 2],
    [del('t', 'k', { ifVersion: 1 }), 2],
    [put('t', 'none', 3, { ifVersion: 1 }), 0],
    [del('t', 'none', { ifVersion: 4 }), 0],
  ]) {
    await assert.rejects(db.batch([put('t', 'other', 1), operation]), { code: 'ERR_CAIRN_CONFLICT', actualVersion });
  }
  assert.deepEqual(await db.get('t'), [['k', 2]]);
});

test('conditions that hold let the batch through', async (t) => {
  const db = await open(t);
  await db.write('accounts', 'a', 100);
  await db.write('accounts', 'b', 0);
  await db.write('accounts', 'old', 0);
  await db.batch([
    put('accounts', 'a', 70, { ifVersion: 1 }),
    put('accounts', 'b', 30, { ifVersion: 1 }),
    put('accounts', 'new', 0, { ifVersion: 0 }),
    del('accounts', 'old', { ifVersion: 1 }),
  ]);
  assert.deepEqual(await db.get('accounts'), [
    ['a', 70],
    ['b', 30],
    ['new', 0],
  ]);
});

test('conditions are about what is there before the batch', async (t) => {
  const db = await open(t);
  await db.write('t', 'k', 'before');
  await db.batch([
    put('t', 'k', 1, { ifVersion: 1 }),
    put('t', 'k', 2, { ifVersion: 1 }),
    put('t', 'new', 1),
    del('t', 'new', { ifVersion: 0 }),
  ]);
  assert.deepEqual(await db.get('t'), [['k', 2]]);
  await rejects(
    () => db.batch([put('t', 'k', 3), put('t', 'k', 4, { ifVersion: 4 })]),
    'ERR_CAIRN_CONFLICT',
    /version 3/,
  );
});

test('a conflict concerns its batch alone, not the writes gathered around it', async (t) => {
  const db = await open(t);
  const results = await Promise.allSettled([
    db.write('t', 'before', 1),
    db.batch([put('t', 'x', 1, { ifVersion: 5 }), put('t', 'y', 1)]),
    db.batch([put('t', 'z', 1), put('t', 'w', 1)]),
    db.write('t', 'after', 1),
  ]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled', 'fulfilled'],
  );
  const keys = (await db.get('t')).map(([key]) => key);
  assert.deepEqual(keys, ['after', 'before', 'w', 'z']);
});

test('money that is moved by conflicting batches is neither made nor lost', async (t) => {
  const db = await open(t);
  const accounts = ['a', 'b', 'c', 'd'];
  await db.batch(accounts.map((key) => put('accounts', key, 100)));
  let conflicts = 0;
  async function move(from, to, amount) {
    for (;;) {
      const [source, target] = [await db.getRecord('accounts', from), await db.getRecord('accounts', to)];
      try {
        return await db.batch([
          put('accounts', from, source.value - amount, { ifVersion: source.version }),
          put('accounts', to, target.value + amount, { ifVersion: target.version }),
        ]);
      } catch (error) {
        if (error.code !== 'ERR_CAIRN_CONFLICT') throw error;
        conflicts += 1;
      }
    }
  }
  await Promise.all(
    Array.from({ length: 100 }, (_, index) => move(accounts[index % 4], accounts[(index * 3 + 1) % 4], index)),
  );
  const balances = (await db.get('accounts')).map(([, balance]) => balance);
  assert.equal(
    balances.reduce((sum, balance) => sum + balance),
    400,
  );
  assert.ok(conflicts > 0, 'the batches did meet');
});

test('a batch of many operations that is larger than any buffer is one unit', async (t) => {
  const db = await open(t);
  const operations = Array.from({ length: 5000 }, (_, index) => put('t', `k${index}`, 'x'.repeat(300)));
  await rejects(
    () => db.batch([...operations, del('t', 'x', { ifVersion: 9 })]),
    'ERR_CAIRN_CONFLICT',
    /^Operation 5000/,
  );
  assert.equal(await db.getTableSize('t'), 0);
  assert.equal(await db.batch(operations), true);
  assert.equal(await (await reopen(t, db)).getTableSize('t'), 5000);
});

test('the operations of a batch take terms', async (t) => {
  const db = await open(t, { dictionaries: { d: { deflate: { name: 'n' } } } });
  await db.batch([
    put('t', 'far', 1, { expiresAt: 4_102_444_800_000 }),
    put('t', 'past', 1, { expiresAt: -1 }),
    put('t', 'ttl', 1, { ttl: 1e9 }),
    put('t', 'dictionary', { name: 'x' }, { dictionary: 'd' }),
  ]);
  assert.equal((await db.getRecord('t', 'far')).expiration, 4_102_444_800_000);
  assert.equal(await db.get('t', 'past'), undefined);
  assert.ok((await db.getRecord('t', 'ttl')).expiration > Date.now());
  assert.equal((await db.getRecord('t', 'dictionary')).dictionaryName, 'd');
});

const BAD_BATCHES = [
  ['undefined', undefined, /array/],
  ['an object', { type: 'put' }, /array/],
  ['an iterable that is no array', new Set([put('t', 'k', 1)]), /array/],
  ['a hole', Object.assign([put('t', 'k', 1)], { length: 2 }), /Operation 1.*undefined/],
  ['an operation that is a string', ['put'], /Operation 0.*"put"/],
  ['an operation without a type', [{ table: 't', key: 'k', value: 1 }], /type is undefined/],
  ['an unknown type', [{ type: 'delete', table: 't', key: 'k' }], /"delete".*"put" or "del"/],
  ['an unknown member', [put('t', 'k', 1, { tll: 5 })], /Operation 0.*"tll".*"ttl"/],
  ['a durability of one operation', [put('t', 'k', 1, { durability: 'full' })], /"durability"/],
  ['a del with a value', [del('t', 'k', { value: 1 })], /"value"/],
  ['a del with an expiration', [del('t', 'k', { ttl: 1 })], /"ttl"/],
];

for (const [what, batch, pattern] of BAD_BATCHES) {
  test(`a batch is refused: ${what}`, async (t) => {
    const db = await open(t);
    await refusesToWrite(db, () => db.batch(batch), 'ERR_CAIRN_INVALID_BATCH', pattern);
  });
}

test('a batch with one bad operation does nothing, and says which one', async (t) => {
  const db = await open(t);
  const good = put('t', 'k', 1);
  const cases = [
    [put('../t', 'k', 1), 'ERR_CAIRN_INVALID_TABLE'],
    [put('t', '', 1), 'ERR_CAIRN_INVALID_KEY'],
    [put('t', 'k', undefined), 'ERR_CAIRN_INVALID_VALUE'],
    [put('t', 'k', 1, { ttl: -1 }), 'ERR_CAIRN_INVALID_EXPIRATION'],
    [put('t', 'k', 1, { dictionary: 'none' }), 'ERR_CAIRN_UNKNOWN_DICTIONARY'],
    [del('t', 'k', { ifVersion: -1 }), 'ERR_CAIRN_INVALID_OPTIONS'],
  ];
  for (const [bad, code] of cases)
    await refusesToWrite(db, () => db.batch([good, good, bad]), code, /^Operation 2 of the batch/);
});

test('unknown options of a batch are refused', async (t) => {
  const db = await open(t);
  const batch = [put('t', 'k', 1)];
  await refusesToWrite(db, () => db.batch(batch, { durablity: 'os' }), 'ERR_CAIRN_INVALID_OPTIONS', /"durability"/);
  await refusesToWrite(db, () => db.batch(batch, 'os'), 'ERR_CAIRN_INVALID_OPTIONS', /object/);
});
