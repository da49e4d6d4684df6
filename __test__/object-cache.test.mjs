import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { open, openAt, readWhileCounted } from './helpers.mjs';

const objectCache = 100;

test('an object that is read twice is one object, frozen with all that is in it', async (t) => {
  const db = await open(t, { objectCache });
  await db.write('t', 'k', { a: [{ b: 1 }], c: undefined });
  const first = db.getSync('t', 'k');
  assert.equal(db.getSync('t', 'k'), first);
  assert.equal(await db.get('t', 'k'), first);
  assert.deepEqual(first, { a: [{ b: 1 }], c: undefined });
  for (const part of [first, first.a, first.a[0]]) assert.ok(Object.isFrozen(part));
});

test('without the option every read makes an object of its own', async (t) => {
  const db = await open(t);
  await db.write('t', 'k', {});
  const first = db.getSync('t', 'k');
  assert.notEqual(db.getSync('t', 'k'), first);
  assert.ok(!Object.isFrozen(first));
});

test('a write of this instance is seen at once, and leaves the other objects in the cache', async (t) => {
  const db = await open(t, { objectCache });
  await Promise.all([db.write('t', 'a', { n: 1 }), db.write('t', 'b', { n: 1 }), db.write('u', 'a', { n: 1 })]);
  const [a, b, other] = [db.getSync('t', 'a'), db.getSync('t', 'b'), db.getSync('u', 'a')];
  const written = db.write('t', 'a', { n: 2 });
  assert.deepEqual(db.getSync('t', 'a'), { n: 2 }, 'before the write was acknowledged');
  await written;
  assert.notEqual(db.getSync('t', 'a'), a);
  assert.equal(db.getSync('t', 'b'), b);
  assert.equal(db.getSync('u', 'a'), other);
  await db.batch([{ type: 'del', table: 't', key: 'b' }]);
  assert.equal(db.getSync('t', 'b'), undefined);
  assert.equal(db.getSync('u', 'a'), other);
});

for (const durability of ['eventual', 'os', 'full']) {
  test(`what another instance writes at level ${durability} is seen at once`, async (t) => {
    const db = await open(t, { objectCache });
    const other = await openAt(t, db.directory);
    for (let n = 0; n < 20; n += 1) {
      await other.write('t', 'k', { n }, { durability });
      assert.deepEqual(db.getSync('t', 'k'), { n });
      assert.equal(db.getSync('t', 'k'), db.getSync('t', 'k'));
    }
    await other.delete('t', 'k');
    assert.equal(db.getSync('t', 'k'), undefined);
    await other.write('t', 'k', { n: -1 });
    assert.deepEqual(db.getSync('t', 'k'), { n: -1 });
    await other.deleteTable('t');
    assert.equal(db.getSync('t', 'k'), undefined);
  });
}

test('what another thread writes while a group that changes nothing is entered is seen at once', async (t) => {
  const db = await open(t, { objectCache });
  await readWhileCounted(t, db, 100, async (look) => {
    const missing = db.delete('t', 'missing');
    look();
    await missing;
  });
});

test('a table that is being deleted is gone at once', async (t) => {
  const db = await open(t, { objectCache });
  for (let round = 0; round < 50; round += 1) {
    await db.write('t', 'k', { round });
    assert.deepEqual(db.getSync('t', 'k'), { round });
    const deleted = db.deleteTable('t');
    assert.equal(db.getSync('t', 'k'), undefined, 'before it was acknowledged');
    await deleted;
    assert.equal(db.getSync('t', 'k'), undefined);
  }
});

test('a table that is deleted and made anew has nothing of before', async (t) => {
  const db = await open(t, { objectCache });
  await db.write('t', 'k', { n: 1 });
  db.getSync('t', 'k');
  await db.deleteTable('t');
  assert.equal(db.getSync('t', 'k'), undefined);
  await db.write('t', 'k', { n: 2 });
  assert.deepEqual(db.getSync('t', 'k'), { n: 2 });
});

test('a record that expires is not found afterwards', async (t) => {
  const db = await open(t, { objectCache });
  await db.write('t', 'k', { n: 1 }, { ttl: 30 });
  assert.deepEqual(db.getSync('t', 'k'), { n: 1 });
  while (db.getSync('t', 'k') !== undefined) await wait(5);
});

test('what cannot be frozen is read anew each time', async (t) => {
  const db = await open(t, { objectCache });
  for (const value of [Buffer.from('a'), new Date(0), { at: new Date(0), list: [] }, [new Map()], new Uint8Array(2)]) {
    await db.write('t', 'k', value);
    const first = db.getSync('t', 'k');
    assert.notEqual(db.getSync('t', 'k'), first);
    assert.deepEqual(db.getSync('t', 'k'), first);
    if (!ArrayBuffer.isView(first)) assert.ok(!Object.isFrozen(first.list ?? first));
  }
});

test('the cache holds no more than it may, and what it lost is read again', async (t) => {
  const db = await open(t, { objectCache: 10 });
  await Promise.all(Array.from({ length: 100 }, (_, n) => db.write('t', `k${n}`, { n })));
  const first = Array.from({ length: 100 }, (_, n) => db.getSync('t', `k${n}`));
  const again = Array.from({ length: 100 }, (_, n) => db.getSync('t', `k${n}`));
  assert.deepEqual(again, first);
  assert.ok(
    again.every((object, n) => object !== first[n]),
    'of 100 objects that are read in turn none is there still',
  );
  const last = db.getSync('t', 'k99');
  assert.equal(db.getSync('t', 'k99'), last);
});

test('a closed instance is closed, whatever is in its cache', async (t) => {
  const db = await open(t, { objectCache });
  await db.write('t', 'k', {});
  db.getSync('t', 'k');
  await db.close();
  assert.throws(() => db.getSync('t', 'k'), { code: 'ERR_CAIRN_CLOSED' });
});
