import assert from 'node:assert/strict';
import { test } from 'node:test';
import { alsoReopened, open, openAt, reopen, turnsDuring } from './helpers.mjs';

const LEVELS = ['eventual', 'os', 'full'];

for (const durability of LEVELS) {
  test(`10,000 concurrent writes to one key at level ${durability}: the last one stands, as version 10,000`, async (t) => {
    const first = await open(t, { durability });
    const writes = Array.from({ length: 10_000 }, (_, index) => first.write('t', 'k', index));
    assert.equal(first.getSync('t', 'k'), 9999);
    assert.deepEqual(new Set(await Promise.all(writes)), new Set([true]));
    for await (const db of alsoReopened(t, first)) {
      const { value, version } = await db.getRecord('t', 'k');
      assert.deepEqual({ value, version }, { value: 9999, version: 10_000 });
    }
  });
}

test('concurrent writes of levels in any order take effect in the order of the calls', async (t) => {
  const db = await open(t);
  const writes = Array.from({ length: 300 }, (_, index) =>
    db.write('t', 'k', index, { durability: LEVELS[(index * 7) % 3] }),
  );
  await Promise.all(writes);
  const { value, version } = await (await reopen(t, db)).getRecord('t', 'k');
  assert.deepEqual({ value, version }, { value: 299, version: 300 });
});

test('writes below level full wait for no sync', async (t) => {
  const never = 1_000_000_000;
  const db = await open(t, { syncInterval: never, flushInterval: never });
  const syncs = async () => (await db.stats()).syncs;
  await db.write('t', 'k', 0, { durability: 'full' });
  const before = await syncs();
  await Promise.all([db.write('t', 'k', 1), db.write('t', 'k', 2, { durability: 'eventual' })]);
  assert.equal(await syncs(), before);
});

test('a write at level full is synced, whatever else is written in its turn', async (t) => {
  const never = 1_000_000_000;
  const db = await open(t, { syncInterval: never, flushInterval: never });
  for (const others of [[], ['eventual'], ['os'], ['os', 'eventual']]) {
    const before = (await db.stats()).syncs;
    for (const durability of others) db.write('t', 'other', 1, { durability });
    await db.write('t', 'k', 1, { durability: 'full' });
    assert.ok((await db.stats()).syncs > before, `beside ${others}`);
  }
});

test('with durableWrites each write is synced', async (t) => {
  const db = await open(t, { durableWrites: true, syncInterval: 1_000_000_000 });
  const before = (await db.stats()).syncs;
  await db.write('t', 'k', 1);
  await db.batch([{ type: 'put', table: 't', key: 'k', value: 2 }]);
  assert.ok((await db.stats()).syncs >= before + 2);
});

test('a full buffer enters the engine at once, before the turn ends', async (t) => {
  const [one, pending] = [await open(t), []];
  const two = await openAt(t, one.directory);
  const write = (index) => pending.push(one.write('t', `k${index}`, 'x'.repeat(1000)));
  for (let index = 0; index < 100; index += 1) write(index);
  assert.equal(two.getSync('t', 'k0'), undefined, 'gathered, and only its own instance sees it');
  for (let index = 100; index < 300; index += 1) write(index);
  // The group is large enough to be done by a thread, so it may take a while.
  let reads = 0;
  while (two.getSync('t', 'k0') === undefined && reads < 5_000_000) reads += 1;
  assert.equal(two.getSync('t', 'k0'), 'x'.repeat(1000));
  await Promise.all(pending);
});

test('large and small writes take effect in the order of the calls', async (t) => {
  const db = await open(t);
  const large = 'x'.repeat(600_000);
  const writes = Array.from({ length: 40 }, (_, index) => db.write('t', 'k', index % 3 === 0 ? large + index : index));
  await Promise.all(writes);
  const again = await reopen(t, db);
  assert.equal(await again.get('t', 'k'), large + 39);
  assert.equal((await again.getRecord('t', 'k')).version, 40);
});

for (const durability of LEVELS) {
  test(`you read your writes of level ${durability}, without waiting for them`, async (t) => {
    const db = await open(t, { durability });
    const pending = [];
    const write = (key, value) => pending.push(db.write('t', key, value));
    write('a', 1);
    assert.equal(db.getSync('t', 'a'), 1);
    write('b', 2);
    assert.deepEqual(db.listTables(), ['t']);
    assert.equal(await db.get('t', 'b'), 2);
    write('c', 3);
    assert.deepEqual(await db.getMany('t', ['c', 'a']), [3, 1]);
    write('d', 4);
    assert.equal((await db.getRecord('t', 'd')).value, 4);
    write('e', 5);
    assert.equal(await db.has('t', 'e'), true);
    write('f', 6);
    assert.equal(await db.getTableSize('t'), 6);
    write('g', 7);
    assert.equal((await db.get('t')).length, 7);
    write('h', 8);
    assert.deepEqual(await db.keys('t', { reverse: true, limit: 1 }).next(), { value: 'h', done: false });
    pending.push(db.delete('t', 'a'));
    assert.equal(db.getSync('t', 'a'), undefined);
    pending.push(db.batch([{ type: 'put', table: 't', key: 'i', value: 9 }]));
    assert.equal(db.getSync('t', 'i'), 9);
    await Promise.all(pending);
  });
}

test('an instance sees what another one wrote, once it was acknowledged', async (t) => {
  const one = await open(t);
  const two = await openAt(t, one.directory, { durability: 'full' });
  for (let index = 0; index < 50; index += 1) {
    await one.write('t', 'k', index);
    assert.equal(two.getSync('t', 'k'), index);
    await two.write('t', 'k', -index);
    assert.equal(one.getSync('t', 'k'), -index);
  }
});

test('writes, deletes and batches of one turn take effect in their order', async (t) => {
  const db = await open(t);
  const results = await Promise.all([
    db.write('t', 'k', 1),
    db.delete('t', 'k'),
    db.delete('t', 'k'),
    db.write('t', 'k', 2),
    db.batch([
      { type: 'del', table: 't', key: 'k' },
      { type: 'put', table: 't', key: 'k', value: 3 },
    ]),
    db.write('t', 'k', 4, { ifVersion: 1 }),
  ]);
  assert.deepEqual(results, [true, true, false, true, true, true]);
  assert.equal(await db.get('t', 'k'), 4);
});

test('deleteTable takes effect between the calls before it and after it', async (t) => {
  const db = await open(t);
  await db.write('t', 'old', 1);
  const results = await Promise.all([db.write('t', 'before', 1), db.deleteTable('t'), db.write('t', 'after', 2)]);
  assert.deepEqual(results, [true, true, true]);
  assert.deepEqual(await db.get('t'), [['after', 2]]);
  assert.deepEqual(await (await reopen(t, db)).get('t'), [['after', 2]]);
});

test('a flush that a close() follows at once is done before it', async (t) => {
  const db = await open(t);
  db.write('t', 'k', 1);
  await Promise.all([db.flush(), db.close()]);
});

test('acknowledgements come in the order of the calls', async (t) => {
  const db = await open(t);
  const order = [];
  const writes = Array.from({ length: 1000 }, (_, index) =>
    db.write('t', `k${index}`, 1).then(() => order.push(index)),
  );
  await Promise.all(writes);
  assert.deepEqual(
    order,
    [...order].sort((a, b) => a - b),
  );
});

test('writes of many turns that nobody waits for are all there in the end', async (t) => {
  const db = await open(t);
  const writes = [];
  for (let turn = 0; turn < 50; turn += 1) {
    for (let index = 0; index < 50; index += 1) writes.push(db.write('t', `${turn}/${index}`, turn * index));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(writes);
  assert.equal(await (await reopen(t, db)).getTableSize('t'), 2500);
});

test('a write that waits for the disk does not hold up the event loop', async (t) => {
  const db = await open(t);
  const turns = await turnsDuring(async () => {
    for (let index = 0; index < 20; index += 1) await db.write('t', 'k', index, { durability: 'full' });
  });
  assert.ok(turns >= 20, `${turns} turns of the event loop during 20 synced writes`);
});
