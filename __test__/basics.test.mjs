import assert from 'node:assert/strict';
import { test } from 'node:test';
import { open, reopen } from './helpers.mjs';

test('write resolves to true, and get to the value', async (t) => {
  const db = await open(t);
  assert.equal(await db.write('users', 'alice', { name: 'Alice' }), true);
  assert.deepEqual(await db.get('users', 'alice'), { name: 'Alice' });
});

test('get resolves to undefined for a missing key and for a missing table', async (t) => {
  const db = await open(t);
  await db.write('users', 'alice', 1);
  assert.equal(await db.get('users', 'bob'), undefined);
  assert.equal(await db.get('nobody', 'bob'), undefined);
});

test('get without a key resolves to all entries in the order of the keys', async (t) => {
  const db = await open(t);
  for (const key of ['b', 'c', 'a']) await db.write('letters', key, key.toUpperCase());
  assert.deepEqual(await db.get('letters'), [
    ['a', 'A'],
    ['b', 'B'],
    ['c', 'C'],
  ]);
  assert.deepEqual(await db.get('letters', undefined), await db.get('letters'));
});

test('get without a key resolves to an empty list for a table that does not exist', async (t) => {
  const db = await open(t);
  assert.deepEqual(await db.get('nothing'), []);
});

test('a read does not make a table', async (t) => {
  const db = await open(t);
  await db.get('ghost', 'key');
  await db.get('ghost');
  await db.getTableSize('ghost');
  await db.delete('ghost', 'key');
  await db.cleanupExpired('ghost');
  assert.deepEqual(db.listTables(), []);
});

test('a later write replaces the value', async (t) => {
  const db = await open(t);
  await db.write('users', 'alice', { name: 'Alice', age: 1 });
  await db.write('users', 'alice', { name: 'Alicia' });
  assert.deepEqual(await db.get('users', 'alice'), { name: 'Alicia' });
});

test('delete resolves to whether there was a record', async (t) => {
  const db = await open(t);
  await db.write('users', 'alice', 1);
  assert.equal(await db.delete('users', 'alice'), true);
  assert.equal(await db.delete('users', 'alice'), false);
  assert.equal(await db.delete('nobody', 'alice'), false);
  assert.equal(await db.get('users', 'alice'), undefined);
});

test('getTableSize counts the records', async (t) => {
  const db = await open(t);
  assert.equal(await db.getTableSize('users'), 0);
  for (const key of ['a', 'b', 'c', 'a']) await db.write('users', key, 1);
  await db.delete('users', 'b');
  assert.equal(await db.getTableSize('users'), 2);
});

test('listTables names the tables, at once', async (t) => {
  const db = await open(t);
  assert.deepEqual(db.listTables(), []);
  await db.write('one', 'k', 1);
  await db.write('two', 'k', 1);
  assert.deepEqual(db.listTables().sort(), ['one', 'two']);
});

test('deleteTable removes all records, and resolves to true', async (t) => {
  const db = await open(t);
  await db.write('users', 'alice', 1);
  await db.write('other', 'bob', 2);
  assert.equal(await db.deleteTable('users'), true);
  assert.equal(await db.get('users', 'alice'), undefined);
  assert.deepEqual(await db.get('users'), []);
  assert.deepEqual(db.listTables(), ['other']);
  assert.equal(await db.get('other', 'bob'), 2);
});

test('deleteTable resolves to true for a table that never existed', async (t) => {
  const db = await open(t);
  assert.equal(await db.deleteTable('nothing'), true);
});

test('a deleted table stays deleted after reopening, and can be made anew', async (t) => {
  const first = await open(t);
  await first.write('users', 'alice', 1);
  await first.deleteTable('users');
  const second = await reopen(t, first);
  assert.deepEqual(second.listTables(), []);
  await second.write('users', 'bob', 2);
  assert.deepEqual(await second.get('users'), [['bob', 2]]);
});

test('has tells whether there is a record, whatever its value', async (t) => {
  const db = await open(t);
  await db.write('t', 'null', null);
  assert.equal(await db.has('t', 'null'), true);
  assert.equal(await db.has('t', 'other'), false);
  assert.equal(await db.has('nothing', 'null'), false);
});

test('getSync returns what get resolves to', async (t) => {
  const db = await open(t);
  await db.write('t', 'k', { a: [1] });
  assert.deepEqual(db.getSync('t', 'k'), { a: [1] });
  assert.equal(db.getSync('t', 'missing'), undefined);
});

test('getMany resolves to the values in the order of the keys', async (t) => {
  const db = await open(t);
  await db.write('t', 'a', 1);
  await db.write('t', 'b', { c: Number.NaN });
  assert.deepEqual(await db.getMany('t', ['b', 'missing', 'a', 'b']), [
    { c: Number.NaN },
    undefined,
    1,
    { c: Number.NaN },
  ]);
  assert.deepEqual(await db.getMany('t', []), []);
  assert.deepEqual(await db.getMany('nothing', ['a']), [undefined]);
});

test('getRecord resolves to the value with its version, time, expiration and dictionary', async (t) => {
  const db = await open(t, { dictionaries: { short: { deflate: { name: 'n' } } } });
  const before = Date.now();
  await db.write('t', 'plain', { name: 1 });
  await db.write('t', 'terms', { name: 2 }, 4_102_444_800_000.5, 'short');
  const after = Date.now();
  const { timestamp, ...plain } = await db.getRecord('t', 'plain');
  assert.deepEqual(plain, { value: { name: 1 }, version: 1, expiration: null, dictionaryName: null });
  assert.ok(timestamp >= before - 1 && timestamp <= after + 1, `${before} <= ${timestamp} <= ${after}`);
  const { timestamp: _, ...terms } = await db.getRecord('t', 'terms');
  assert.deepEqual(terms, {
    value: { name: 2 },
    version: 1,
    expiration: 4_102_444_800_000.5,
    dictionaryName: 'short',
  });
  assert.equal(await db.getRecord('t', 'missing'), undefined);
});

test('the version counts the writes of a key, and begins again after a delete', async (t) => {
  const db = await open(t);
  for (let version = 1; version <= 3; version += 1) {
    await db.write('t', 'k', 'same');
    assert.equal((await db.getRecord('t', 'k')).version, version);
  }
  await db.delete('t', 'k');
  await db.write('t', 'k', 'new');
  assert.equal((await db.getRecord('t', 'k')).version, 1);
});

test('everything is there after reopening', async (t) => {
  const first = await open(t);
  await first.write('users', 'alice', { name: 'Alice' });
  await first.write('users', 'alice', { name: 'Alicia' });
  await first.write('users', 'bob', 2);
  await first.write('gone', 'x', 1);
  await first.delete('gone', 'x');
  const before = await first.getRecord('users', 'alice');
  const second = await reopen(t, first);
  assert.deepEqual(await second.getRecord('users', 'alice'), before);
  assert.equal(before.version, 2);
  assert.equal(await second.get('users', 'bob'), 2);
  assert.equal(await second.getTableSize('users'), 2);
  assert.equal(await second.get('gone', 'x'), undefined);
  assert.equal(await second.getTableSize('gone'), 0);
});

test('an object that is changed after write() was called is stored as it was', async (t) => {
  const db = await open(t);
  const value = { list: [1], bytes: Buffer.from([1]) };
  const written = db.write('t', 'k', value);
  value.list.push(2);
  value.bytes[0] = 9;
  await written;
  value.list.push(3);
  assert.deepEqual(await db.get('t', 'k'), { list: [1], bytes: Buffer.from([1]) });
});

test('an object that was read is a copy', async (t) => {
  const db = await open(t);
  await db.write('t', 'k', { list: [1] });
  const [first, second] = [await db.get('t', 'k'), db.getSync('t', 'k')];
  first.list.push(2);
  second.list = null;
  for (const copy of [...(await db.get('t')).map(([, value]) => value), ...(await db.getMany('t', ['k']))]) {
    assert.deepEqual(copy, { list: [1] });
    copy.list.push(4);
  }
  (await db.getRecord('t', 'k')).value.list.push(5);
  assert.deepEqual(await db.get('t', 'k'), { list: [1] });
});

test('tables whose names differ only in case are different tables', async (t) => {
  const first = await open(t);
  await first.write('Users', 'k', 'upper');
  await first.write('users', 'k', 'lower');
  const second = await reopen(t, first);
  assert.equal(await second.get('Users', 'k'), 'upper');
  assert.equal(await second.get('users', 'k'), 'lower');
});

test('the methods work when they are taken off the instance and bound', async (t) => {
  const db = await open(t);
  const get = db.get.bind(db);
  await db.write('t', 'k', 1);
  assert.equal(await get('t', 'k'), 1);
});
