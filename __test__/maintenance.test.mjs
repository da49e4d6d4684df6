import assert from 'node:assert/strict';
import { test } from 'node:test';
import { open, reopen } from './helpers.mjs';

test('flush, compact and close resolve to undefined, with and without data', async (t) => {
  const db = await open(t);
  for (let round = 0; round < 2; round += 1) {
    assert.equal(await db.flush(), undefined);
    assert.equal(await db.compact(), undefined);
    await db.write('t', `k${round}`, round);
  }
  assert.equal(await db.close(), undefined);
});

test('flush takes in the writes of the same turn, and settles them first', async (t) => {
  const db = await open(t, { durability: 'eventual', flushInterval: 1_000_000 });
  const settled = [];
  const write = (name, value, durability) => db.write('t', name, value, { durability }).then(() => settled.push(name));
  write('small', 1);
  write('large', 'x'.repeat(1_000_000), 'os');
  write('synced', 2, 'full');
  await db.flush();
  assert.deepEqual(settled.sort(), ['large', 'small', 'synced']);
});

test('compact keeps what lives, its versions, expirations and dictionaries', async (t) => {
  const db = await open(t, { memtableBytes: 65_536, dictionaries: { d: { deflate: { index: 'i' } } } });
  for (let round = 0; round < 5; round += 1) {
    await Promise.all(
      Array.from({ length: 500 }, (_, index) =>
        db.write('t', `k${index}`, { index, round, filler: 'x'.repeat(100) }, { dictionary: 'd', expiresAt: 4e12 }),
      ),
    );
  }
  await Promise.all(Array.from({ length: 100 }, (_, index) => db.delete('t', `k${index}`)));
  await db.compact();
  const again = await reopen(t, db);
  assert.equal(await again.getTableSize('t'), 400);
  assert.equal(await again.get('t', 'k99'), undefined);
  const { timestamp: _, ...record } = await again.getRecord('t', 'k100');
  assert.deepEqual(record, {
    value: { index: 100, round: 4, filler: 'x'.repeat(100) },
    version: 5,
    expiration: 4e12,
    dictionaryName: 'd',
  });
});

test('writes and reads go on during compact', async (t) => {
  const db = await open(t, { memtableBytes: 65_536 });
  await Promise.all(Array.from({ length: 2000 }, (_, index) => db.write('t', `k${index}`, 'x'.repeat(200))));
  const compacted = db.compact();
  const writes = Array.from({ length: 500 }, (_, index) => db.write('t', `k${index}`, index));
  assert.equal(db.getSync('t', 'k7'), 7);
  await Promise.all([compacted, ...writes]);
  assert.equal(await db.get('t', 'k499'), 499);
  assert.equal(await db.get('t', 'k500'), 'x'.repeat(200));
});

test('verify of a sound database reports what it read, and no damage', async (t) => {
  const db = await open(t, { memtableBytes: 65_536 });
  await Promise.all(Array.from({ length: 1000 }, (_, index) => db.write('t', `k${index}`, 'x'.repeat(200))));
  // How much of it has left the journal by now is up to the machine; what is compacted lies in table files alone.
  const early = await db.verify();
  assert.ok(early.files >= 1 && early.checked >= 1, `${early.files} files, ${early.checked} checked`);
  assert.deepEqual(early.damage, []);
  await db.compact();
  const { files, bytes, checked, damage } = await db.verify();
  assert.ok(files >= 1 && bytes > 10_000 && checked >= 1000, `${files} files, ${bytes} bytes, ${checked} checked`);
  assert.deepEqual(damage, []);
});

test('stats of an empty database are zeros', async (t) => {
  const db = await open(t);
  const { tables, liveRecords, liveBytes, writtenRecords, backgroundError } = await db.stats();
  assert.deepEqual(
    { tables, liveRecords, liveBytes, writtenRecords, backgroundError },
    {
      tables: [],
      liveRecords: 0,
      liveBytes: 0,
      writtenRecords: 0,
      backgroundError: null,
    },
  );
});

test('stats count records, bytes, reads, and what they cost', async (t) => {
  const db = await open(t);
  const pending = Array.from({ length: 100 }, (_, index) => db.write('b', `k${index % 50}`, 'x'.repeat(98)));
  pending.push(db.write('a', 'gone', 1), db.delete('a', 'gone'));
  const gathered = await db.stats();
  assert.equal(gathered.writtenRecords, 102, 'the writes of this turn count');
  await Promise.all(pending);
  await db.flush();
  await db.compact();
  for (let index = 0; index < 50; index += 1) await db.get('b', `k${index}`);
  const stats = await db.stats();
  const table = stats.tables.find(({ name }) => name === 'b');
  assert.equal(table.liveRecords, 50);
  assert.equal(stats.liveRecords, 50);
  // Keys of 2 or 3 bytes, values of 98 characters and three bytes in front of them.
  assert.equal(table.liveBytes, 10 * 103 + 40 * 104);
  assert.equal(stats.liveBytes, table.liveBytes);
  assert.ok(stats.reads >= 50);
  assert.ok(stats.diskWrittenBytes > stats.writtenBytes);
  assert.ok(stats.writeAmplification > 1, `write amplification ${stats.writeAmplification}`);
  assert.ok(stats.spaceAmplification > 0, `space amplification ${stats.spaceAmplification}`);
  assert.ok(
    stats.readAmplification >= 0 && stats.readAmplification <= 2,
    `read amplification ${stats.readAmplification}`,
  );
  for (const [name, value] of Object.entries(stats)) {
    if (typeof value === 'number') assert.ok(Number.isFinite(value) && value >= 0, `${name} is ${value}`);
  }
});
