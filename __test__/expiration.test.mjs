import assert from 'node:assert/strict';
import { test } from 'node:test';
import { alsoReopened, collect, open, reopen } from './helpers.mjs';

const PAST = -1;
const FAR = 4_102_444_800_000;

/** Waits until the clock has passed `time`. */
async function passed(time) {
  while (Date.now() <= time) await new Promise((resolve) => setImmediate(resolve));
}

test('a record that has expired is missing, for every read', async (t) => {
  const first = await open(t);
  await first.write('t', 'expired', 1, PAST);
  await first.write('t', 'alive', 2, FAR);
  for await (const db of alsoReopened(t, first)) {
    assert.equal(await db.get('t', 'expired'), undefined);
    assert.equal(db.getSync('t', 'expired'), undefined);
    assert.equal(await db.getRecord('t', 'expired'), undefined);
    assert.equal(await db.has('t', 'expired'), false);
    assert.deepEqual(await db.getMany('t', ['expired', 'alive']), [undefined, 2]);
    assert.deepEqual(await db.get('t'), [['alive', 2]]);
    assert.deepEqual(await collect(db.keys('t')), ['alive']);
    assert.deepEqual(await collect(db.values('t', { reverse: true, limit: 2 })), [2]);
    assert.equal(await db.getTableSize('t'), 1);
  }
});

test('a record expires when its time has passed', async (t) => {
  const db = await open(t);
  await db.write('t', 'k', 1, { ttl: 30 });
  await db.write('t', 'later', 2, { expiresAt: FAR });
  await passed(Date.now() + 30);
  assert.equal(await db.get('t', 'k'), undefined);
  assert.equal(await db.get('t', 'later'), 2);
});

test('a Date of the epoch is long past, while the number 0 means never', async (t) => {
  const db = await open(t);
  await db.write('t', 'date', 1, { expiresAt: new Date(0) });
  await db.write('t', 'number', 1, { expiresAt: 0 });
  assert.deepEqual(await db.get('t'), [['number', 1]]);
});

test('delete of an expired record resolves to false', async (t) => {
  const db = await open(t);
  await db.write('t', 'k', 1, PAST);
  assert.equal(await db.delete('t', 'k'), false);
});

test('a write without an expiration takes it away', async (t) => {
  const db = await open(t);
  await db.write('t', 'k', 1, FAR);
  await db.write('t', 'k', 2);
  assert.equal((await db.getRecord('t', 'k')).expiration, null);
});

test('for ifVersion an expired record does not exist', async (t) => {
  const db = await open(t);
  await db.write('t', 'k', 1, PAST);
  await assert.rejects(db.write('t', 'k', 2, { ifVersion: 1 }), { code: 'ERR_CAIRN_CONFLICT', actualVersion: 0 });
  assert.equal(await db.write('t', 'k', 2, { ifVersion: 0 }), true);
  assert.equal(await db.get('t', 'k'), 2);
});

test('cleanupExpired removes what has expired, and resolves to its number', async (t) => {
  const db = await open(t);
  for (let index = 0; index < 20; index += 1) await db.write('t', `k${index}`, index, index % 2 === 0 ? PAST : FAR);
  await db.write('other', 'k', 1, PAST);
  assert.equal(await db.cleanupExpired('t'), 10);
  assert.equal(await db.cleanupExpired('t'), 0);
  assert.equal(await db.getTableSize('t'), 10);
  assert.equal(await db.cleanupExpired('nothing'), 0);
  assert.equal(await db.cleanupExpired('other'), 1);
});

test('cleanupExpired counts after reopening too, and counts no record that was written again', async (t) => {
  const first = await open(t);
  for (const key of ['a', 'b', 'c']) await first.write('t', key, 1, PAST);
  await first.flush();
  await first.write('t', 'b', 2);
  await first.delete('t', 'c');
  const second = await reopen(t, first);
  assert.equal(await second.cleanupExpired('t'), 1);
  assert.deepEqual(await second.get('t'), [['b', 2]]);
});

test('cleanupExpired sees the writes of the same turn', async (t) => {
  const db = await open(t);
  const [, removed] = await Promise.all([db.write('t', 'k', 1, PAST), db.cleanupExpired('t')]);
  assert.equal(removed, 1);
});

test('cleanupAllExpired removes what has expired from all tables', async (t) => {
  const first = await open(t);
  assert.equal(await first.cleanupAllExpired(), 0);
  for (const table of ['a', 'b', 'c']) {
    await first.write(table, 'expired', 1, PAST);
    await first.write(table, 'alive', 1);
  }
  await first.write('a', 'also', 1, PAST);
  const db = await reopen(t, first);
  assert.equal(await db.cleanupAllExpired(), 4);
  assert.equal(await db.cleanupAllExpired(), 0);
  assert.equal(await db.getTableSize('a'), 1);
});

test('a record may expire in the order of its time or not at all, whatever else does', async (t) => {
  const db = await open(t);
  const times = Array.from({ length: 200 }, (_, index) =>
    index % 3 === 0 ? PAST - index : index % 3 === 1 ? FAR + index : 0,
  );
  await Promise.all(times.map((time, index) => db.write('t', `k${index}`, index, time)));
  assert.equal(await db.cleanupExpired('t'), times.filter((time) => time < 0).length);
  assert.equal(await db.getTableSize('t'), times.filter((time) => time >= 0).length);
});
