import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { open, openAt, readWhileCounted } from './helpers.mjs';

/** Reads so often that what native code gave is kept, and looked at again. */
function readOften(db, table, key) {
  const values = Array.from({ length: 4 }, () => db.getSync(table, key));
  for (const value of values) assert.deepEqual(value, values[0]);
  return values.at(-1);
}

const LEVELS = ['eventual', 'os', 'full'];

test('every read of a value makes an object of its own', async (t) => {
  const db = await open(t);
  await db.write('t', 'k', { list: [1, { deep: 'x' }], text: 'é' });
  for (let turn = 0; turn < 5; turn += 1) {
    const value = db.getSync('t', 'k');
    assert.deepEqual(value, { list: [1, { deep: 'x' }], text: 'é' });
    value.list[1].deep = 'changed';
    value.more = true;
  }
});

for (const durability of LEVELS) {
  test(`a write that nobody waits for at level ${durability} is seen at once, however often was read before`, async (t) => {
    const db = await open(t, { durability });
    await db.write('t', 'k', { number: 0 });
    for (let number = 1; number <= 50; number += 1) {
      assert.equal(readOften(db, 't', 'k').number, number - 1);
      const done =
        number % 2
          ? db.write('t', 'k', { number })
          : db.batch([{ type: 'put', table: 't', key: 'k', value: { number } }]);
      assert.equal(db.getSync('t', 'k').number, number);
      await done;
    }
    readOften(db, 't', 'k');
    const gone = db.delete('t', 'k');
    assert.equal(db.getSync('t', 'k'), undefined);
    await gone;
  });
}

test('what another instance writes is seen at once', async (t) => {
  const db = await open(t);
  const other = await openAt(t, db.directory);
  for (let number = 0; number < 20; number += 1) {
    await other.write('t', 'k', { number });
    assert.equal(readOften(db, 't', 'k').number, number);
  }
});

test('what another thread writes is seen at once', async (t) => {
  const db = await open(t);
  await readWhileCounted(t, db, 1000, (look) => look());
  assert.equal(db.getSync('t', 'counted').number, 20_000);
});

test('a table that is being deleted is gone at once, and made anew has nothing of before', async (t) => {
  const db = await open(t);
  await db.write('t', 'k', { old: true });
  readOften(db, 't', 'k');
  const done = db.deleteTable('t');
  assert.equal(db.getSync('t', 'k'), undefined);
  await done;
  await db.write('t', 'other', 1);
  assert.equal(db.getSync('t', 'k'), undefined);
});

test('a record that expires is not found afterwards, however often it was read', async (t) => {
  const db = await open(t);
  await db.write('t', 'k', { soon: 'gone' }, { ttl: 50 });
  const until = Date.now() + 50;
  while (Date.now() <= until) {
    db.getSync('t', 'k');
    await wait(5);
  }
  assert.equal(db.getSync('t', 'k'), undefined);
});

test('keys with one hash, and keys of several tables, are told apart', async (t) => {
  const db = await open(t);
  const keys = ['Aa', 'BB', 'é', 'éx', 'alone'];
  for (const table of ['one', 'two']) await Promise.all(keys.map((key) => db.write(table, key, { table, key })));
  for (let turn = 0; turn < 4; turn += 1) {
    for (const table of ['one', 'two']) {
      for (const key of keys) {
        assert.deepEqual(db.getSync(table, key), { table, key });
        assert.deepEqual(readOften(db, table, key), { table, key });
      }
    }
  }
});

test('values that are too long to be kept, and of every kind, are read as they are', async (t) => {
  const db = await open(t);
  const values = {
    text: { text: 'x'.repeat(2000) },
    wide: { text: '✓'.repeat(200) },
    head: Array.from({ length: 300 }, (_, index) => index),
    bytes: Buffer.from('bytes'),
    kinds: { date: new Date(5), big: 2n ** 70n, map: new Map([[1, new Set(['a'])]]), bytes: new Uint8Array([1, 2]) },
    number: -0,
  };
  for (const [key, value] of Object.entries(values)) await db.write('t', key, value);
  for (const [key, value] of Object.entries(values)) assert.deepEqual(readOften(db, 't', key), value);
});

test('a closed instance is closed, whatever was read often', async (t) => {
  const db = await open(t);
  await db.write('t', 'k', { kept: true });
  readOften(db, 't', 'k');
  await db.close();
  assert.throws(() => db.getSync('t', 'k'), { code: 'ERR_CAIRN_CLOSED' });
});
