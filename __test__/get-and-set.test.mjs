// getAndSet(): what it returns is what was directly before.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { onEnd, open, openAt, refusesToWrite, rejects, reopen, writeRaw } from './helpers.mjs';

test('it resolves to the value before, or to undefined, and stores the new one', async (t) => {
  const db = await open(t);
  assert.equal(await db.getAndSet('t', 'k', 'one'), undefined);
  assert.equal(await db.getAndSet('t', 'k', { two: new Date(2) }), 'one');
  assert.deepEqual(await db.getAndSet('t', 'k', Buffer.from('three')), { two: new Date(2) });
  assert.deepEqual(await db.getAndSet('t', 'k', null), Buffer.from('three'));
  assert.equal(await db.delete('t', 'k'), true);
  assert.equal(await db.getAndSet('t', 'k', 5), undefined);
  const again = await reopen(t, db);
  assert.equal(await again.getAndSet('t', 'k', 6), 5);
});

test('calls of one instance are a chain in the order of the calls, among its other operations', async (t) => {
  const db = await open(t);
  const results = await Promise.all([
    db.getAndSet('t', 'k', 1),
    db.getAndSet('t', 'k', 2),
    db.write('t', 'k', 3),
    db.getAndSet('t', 'k', 4),
    db.delete('t', 'k'),
    db.getAndSet('t', 'k', 5),
    db.get('t', 'k'),
  ]);
  assert.deepEqual(results, [undefined, 1, true, 3, true, undefined, 5]);
});

test('it takes the terms of a write, except ifVersion', async (t) => {
  const db = await open(t, { dictionaries: { d: { deflate: { name: 'n' } } } });
  const terms = { ttl: 3_600_000, dictionary: 'd', durability: 'full' };
  assert.equal(await db.getAndSet('t', 'k', { name: 1 }, terms), undefined);
  const record = await db.getRecord('t', 'k');
  assert.equal(record.dictionaryName, 'd');
  assert.ok(record.expiration > Date.now());
  assert.deepEqual(await db.getAndSet('t', 'k', 2, { expiresAt: -1 }), { name: 1 });
  assert.equal(await db.getAndSet('t', 'k', 3), undefined, 'what has expired is not there');
});

test('bad arguments reject, and nothing is written', async (t) => {
  const db = await open(t);
  const refused = (call, code, pattern) => refusesToWrite(db, call, code, pattern);
  await refused(() => db.getAndSet('t', 'k', 1, { ifVersion: 0 }), 'ERR_CAIRN_INVALID_OPTIONS', /ifVersion/);
  await refused(() => db.getAndSet('t', 'k', 1, 5), 'ERR_CAIRN_INVALID_OPTIONS', /object/);
  await refused(() => db.getAndSet('', 'k', 1), 'ERR_CAIRN_INVALID_TABLE');
  await refused(() => db.getAndSet('t', '', 1), 'ERR_CAIRN_INVALID_KEY');
  await refused(() => db.getAndSet('t', 'k', () => {}), 'ERR_CAIRN_INVALID_VALUE');
  await db.close();
  await rejects(() => db.getAndSet('t', 'k', 1), 'ERR_CAIRN_CLOSED');
});

test('a value that cannot be read is not written over', async (t) => {
  const db = await open(t);
  await writeRaw(t, db.directory, 2, [5, 0xdf, 14, 2, 1, 2]);
  await rejects(() => db.getAndSet('t', 'k', 1), 'ERR_CAIRN_UNSUPPORTED');
  assert.equal((await db.stats()).writtenRecords, 1);
});

test('a value that changes, or writes itself while it is packed, is stored as it was at the call', async (t) => {
  const db = await open(t);
  const bytes = Buffer.from('before');
  const first = db.getAndSet('t', 'bytes', bytes);
  bytes.fill('x');
  await first;
  assert.deepEqual(await db.get('t', 'bytes'), Buffer.from('before'));

  let inner;
  const value = {
    get nested() {
      inner = db.getAndSet('t', 'k', 'inner');
      return 'outer';
    },
  };
  assert.equal(await db.getAndSet('t', 'k', value), 'inner');
  assert.equal(await inner, undefined);
  assert.deepEqual(await db.get('t', 'k'), { nested: 'outer' });
});

for (const durability of ['eventual', 'os', 'full']) {
  test(`concurrent calls of several threads at level ${durability} form one chain`, async (t) => {
    const db = await open(t, { durability });
    const calls = durability === 'full' ? 100 : 1000;
    const url = new URL('./fixtures/exchanger.mjs', import.meta.url);
    const all = await Promise.all(
      [0, 1, 2].map((id) => {
        const worker = new Worker(url, { workerData: { directory: db.directory, durability, id, calls } });
        onEnd(t, () => worker.terminate());
        return new Promise((resolve, reject) => {
          worker.once('message', resolve);
          worker.once('error', reject);
        });
      }),
    );
    const next = new Map(all.flat().map(({ before, value }) => [before, value]));
    assert.equal(next.size, 3 * calls, 'each value was returned once');
    let last;
    for (let steps = 0; steps < 3 * calls; steps += 1) {
      assert.ok(next.has(last), `something came after ${last}`);
      last = next.get(last);
    }
    assert.equal(await (await openAt(t, db.directory)).get('t', 'k'), last, 'the end of the chain is what is stored');
    assert.equal((await db.getRecord('t', 'k')).version, 3 * calls);
  });
}
