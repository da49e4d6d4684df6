import assert from 'node:assert/strict';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { runInNewContext } from 'node:vm';
import { CairnDB, CairnError } from 'cairndb';
import { PikoDB, processDictionary, transformValue } from 'cairndb/pikodb';
import { ended, newDirectory, nextLine, onEnd, spawnFixture } from './helpers.mjs';
import { piko, pikoAt } from './pikodb-files.mjs';

/** Asserts that `call` rejects with just this sentence, in an Error that is not one of CairnDB's. */
async function refuses(call, message) {
  await assert.rejects(call, (error) => {
    assert.equal(error.message, message);
    assert.equal(error instanceof CairnError, false);
    return true;
  });
}

const long = 'x'.repeat(256);
const badTables = [
  ['', 'Table name must be a non-empty string'],
  [undefined, 'Table name must be a non-empty string'],
  [null, 'Table name must be a non-empty string'],
  [42, 'Table name must be a non-empty string'],
  [long, 'Table name must not exceed 255 characters'],
  ['a/b', 'Table name must not contain path separators'],
  ['a\\b', 'Table name must not contain path separators'],
  ['../..', 'Table name must not contain path separators'],
  ['a..b', 'Table name must not contain ".."'],
  ['.hidden', 'Table name must not start with "."'],
  ['a\0b', 'Table name must not contain null bytes'],
  ...['CON', 'prn', 'Aux', 'nul', 'COM1', 'com9', 'LPT1', 'lpt9'].map((name) => [
    name,
    `Table name "${name}" is reserved by the filesystem`,
  ]),
];

for (const [table, message] of badTables) {
  test(`a table named ${JSON.stringify(table)?.slice(0, 20)} is refused by every method: ${message}`, async (t) => {
    const db = piko(t);
    await refuses(() => db.write(table, 'k', 1), message);
    await refuses(() => db.get(table), message);
    await refuses(() => db.get(table, 'k'), message);
    await refuses(() => db.getRecord(table, 'k'), message);
    await refuses(() => db.delete(table, 'k'), message);
    await refuses(() => db.getTableSize(table), message);
    await refuses(() => db.cleanupExpired(table), message);
    await refuses(() => db.deleteTable(table), message);
  });
}

const badKeys = [
  [undefined, 'Key must be defined'],
  [null, 'Key must be defined'],
  [42, 'Key must be a string'],
  ['', 'Key must not be empty'],
  ['x'.repeat(1025), 'Key must not exceed 1024 characters'],
  ['a\0b', 'Key must not contain null bytes'],
];

for (const [key, message] of badKeys) {
  test(`a key ${JSON.stringify(key)?.slice(0, 20)} is refused by every method: ${message}`, async (t) => {
    const db = piko(t);
    await refuses(() => db.write('t', key, 1), message);
    await refuses(() => db.delete('t', key), message);
    await refuses(() => db.getRecord('t', key), message);
    if (key === undefined) assert.deepEqual(await db.get('t', key), []);
    else await refuses(() => db.get('t', key), message);
  });
}

const cycle = {};
cycle.self = cycle;
const messageOf = (value) => {
  try {
    return JSON.stringify(value);
  } catch ({ message }) {
    return message;
  }
};
const prefix = 'Value must be JSON-serializable: ';
const badValues = [
  ['undefined', undefined, 'Value must not be undefined (use null instead)'],
  ['a function', () => 1, `${prefix}functions are not supported`],
  ['a symbol', Symbol('s'), `${prefix}symbols are not supported`],
  ['a cycle', cycle, `${prefix}${messageOf(cycle)}`],
  ['a bigint', 1n, `${prefix}${messageOf(1n)}`],
  ['a bigint inside', { a: [1n] }, `${prefix}${messageOf(1n)}`],
  ['a toJSON that throws', { toJSON: () => assert.fail('mine') }, `${prefix}mine`],
  ['a toJSON without a value', { toJSON: () => undefined }, `${prefix}${prefix}value cannot be serialized`],
];

for (const [what, value, message] of badValues) {
  test(`as a value ${what} is refused`, async (t) => {
    const db = piko(t);
    await refuses(() => db.write('t', 'k', value), message);
    assert.deepEqual(await db.get('t'), []);
    assert.deepEqual(db.listTables(), []);
  });
}

test('arguments are looked at in the order of table, key, value, dictionary', async (t) => {
  const db = piko(t);
  await refuses(() => db.write('', '', undefined, 0, 'd'), 'Table name must be a non-empty string');
  await refuses(() => db.write('t', '', undefined, 0, 'd'), 'Key must not be empty');
  await refuses(() => db.write('t', 'k', undefined, 0, 'd'), 'Value must not be undefined (use null instead)');
  await refuses(() => db.write('t', 'k', 1, 0, 'd'), 'Dictionary "d" not found. Available dictionaries: none');
  db.addDictionary('one', { deflate: {} });
  db.addDictionary('two', { deflate: {} });
  await refuses(() => db.write('t', 'k', 1, 0, 'd'), 'Dictionary "d" not found. Available dictionaries: one, two');
});

test('a dictionary has just one direction', (t) => {
  const neither = { message: 'Dictionary must provide either deflate or inflate mapping' };
  const both = {
    message: 'Dictionary should provide only one of deflate or inflate (not both). The inverse will be auto-generated.',
  };
  const databaseDirectory = newDirectory(t);
  const db = piko(t);
  for (const [dictionary, expected] of [
    [{}, neither],
    [{ deflate: {}, inflate: {} }, both],
  ]) {
    assert.throws(() => new PikoDB({ databaseDirectory, dictionaries: { d: dictionary } }), expected);
    assert.throws(() => new PikoDB({ databaseDirectory, dictionary }), expected);
    assert.throws(() => db.addDictionary('d', dictionary), expected);
    assert.throws(() => processDictionary(dictionary), expected);
  }
  assert.deepEqual(db.listDictionaries(), []);
});

test('processDictionary() gives both directions', () => {
  const both = { deflate: { sensor: 's', temperature: 't' }, inflate: { s: 'sensor', t: 'temperature' } };
  assert.deepEqual(processDictionary({ deflate: both.deflate }), both);
  assert.deepEqual(processDictionary({ inflate: both.inflate }), both);
});

test('transformValue() maps keys at every depth, and nothing else', () => {
  const mapping = { sensor: 's', location: 'l', empty: '' };
  const value = [{ sensor: 'sensor', at: { location: [{ location: null }] }, empty: 1 }, 'sensor', 1, null];
  assert.deepEqual(transformValue(value, mapping), [
    { s: 'sensor', at: { l: [{ l: null }] }, empty: 1 },
    'sensor',
    1,
    null,
  ]);
  assert.equal(transformValue(undefined, mapping), undefined);
  const inherited = JSON.parse('{"constructor":1,"toString":2,"__proto__":3}');
  assert.deepEqual(Object.entries(transformValue(inherited, mapping)), Object.entries(inherited));
});

test('the constructor makes the directory, also a deep one, and takes what PikoDB takes', async (t) => {
  const databaseDirectory = join(newDirectory(t), 'a', 'b');
  const db = pikoAt(t, databaseDirectory, { durableWrites: undefined, dictionaries: undefined, unknown: 1 });
  assert.ok(existsSync(databaseDirectory));
  assert.equal(existsSync(join(databaseDirectory, '.cairndb')), false, 'nothing is opened yet');
  assert.equal(db.databaseDirectory, databaseDirectory);
  assert.throws(() => new PikoDB({}), { code: 'ERR_CAIRN_INVALID_OPTIONS' });
  assert.throws(() => new PikoDB(), TypeError);
});

test('durableWrites brings each write to the disk before it is acknowledged', async (t) => {
  const db = piko(t, { durableWrites: true });
  await db.start();
  const own = await CairnDB.open(join(db.databaseDirectory, '.cairndb'));
  onEnd(t, () => own.close());
  for (let index = 0; index < 3; index += 1) {
    const { syncs } = await own.stats();
    await db.write('t', 'k', index);
    assert.ok((await own.stats()).syncs > syncs);
  }
});

test('write, get, delete and their answers', async (t) => {
  const db = piko(t);
  await db.start();
  assert.equal(await db.get('users', 'a'), undefined);
  assert.deepEqual(await db.get('users'), []);
  assert.equal(await db.getTableSize('users'), 0);
  assert.equal(await db.delete('users', 'a'), false);
  assert.equal(await db.write('users', 'b', { n: 1 }), true);
  assert.equal(await db.write('users', 'a', null), true);
  assert.equal(await db.write('users', 'b', { n: 2 }), true);
  assert.deepEqual(await db.get('users', 'b'), { n: 2 });
  assert.equal(await db.get('users', 'a'), null);
  assert.deepEqual(await db.get('users'), [
    ['a', null],
    ['b', { n: 2 }],
  ]);
  assert.equal(await db.getTableSize('users'), 2);
  assert.equal(await db.delete('users', 'b'), true);
  assert.equal(await db.delete('users', 'b'), false);
  assert.deepEqual(await db.get('users'), [['a', null]]);
});

test('tables are listed, emptied ones too, and deleted', async (t) => {
  const db = piko(t);
  assert.deepEqual(db.listTables(), []);
  await db.write('users', 'a', 1);
  await db.write('products', 'a', 1);
  await db.delete('users', 'a');
  assert.deepEqual(db.listTables().sort(), ['products', 'users']);
  assert.equal(await db.deleteTable('products'), true);
  assert.equal(await db.deleteTable('products'), true);
  assert.equal(await db.deleteTable('never-there'), true);
  assert.deepEqual(db.listTables(), ['users']);
});

const never = [undefined, 0, null, Number.NaN, Number.POSITIVE_INFINITY, Date.now() + 60_000];
const passed = [-1, -0.5, Number.NEGATIVE_INFINITY, 1, Date.now() - 1];

test('an expiration of 0, NaN or none means never, and a negative one has passed', async (t) => {
  const db = piko(t);
  for (const at of never) {
    assert.equal(await db.write('t', 'k', 'v', at), true);
    assert.equal(await db.get('t', 'k'), 'v', `${at}`);
  }
  for (const at of passed) {
    await db.write('t', 'k', 'v', at);
    assert.equal(await db.get('t', 'k'), undefined, `${at}`);
    assert.deepEqual(await db.get('t'), []);
    assert.equal(await db.getTableSize('t'), 0);
    assert.equal(await db.delete('t', 'k'), false);
    await db.write('t', 'k', 'v', Date.now() + 60_000);
    await db.write('t', 'k', 'v');
    assert.equal((await db.getRecord('t', 'k')).expiration, null, 'a write without one clears it');
  }
});

test('expired records are counted when they are cleaned up', async (t) => {
  const db = piko(t);
  for (const key of ['a', 'b', 'c']) await db.write('one', key, 1, -1);
  await db.write('one', 'd', 1);
  await db.write('two', 'a', 1, -1);
  assert.equal(await db.cleanupExpired('one'), 3);
  assert.equal(await db.cleanupExpired('one'), 0);
  assert.equal(await db.cleanupExpired('nothing'), 0);
  assert.equal(await db.cleanupAllExpired(), 1);
  assert.equal(await db.getTableSize('one'), 1);
});

test('close() leaves the object usable, and everything is there again', async (t) => {
  const db = piko(t);
  await db.write('t', 'k', 1);
  await db.close();
  await db.close();
  assert.deepEqual(db.listTables(), ['t']);
  assert.equal(await db.get('t', 'k'), 1);
  await db.close();
  assert.equal(await db.write('t', 'k', 2), true);
  await db.close();
  await db.start();
  await db.start();
  assert.equal(await db.get('t', 'k'), 2);
});

test('close() and flush() of what was never opened open nothing', async (t) => {
  const db = piko(t);
  await db.flush();
  await db.close();
  assert.equal(existsSync(join(db.databaseDirectory, '.cairndb')), false);
});

test('calls take effect in their order, across opening and closing', async (t) => {
  const db = piko(t);
  const calls = [];
  for (let index = 0; index < 20; index += 1) {
    calls.push(db.write('t', 'k', index), db.write('t', `k${index}`, index));
    calls.push(db.get('t', 'k').then((value) => assert.equal(value, index)));
    if (index % 5 === 4) calls.push(db.close());
    if (index % 7 === 6) calls.push(db.start());
  }
  await Promise.all(calls);
  assert.equal(await db.get('t', 'k'), 19);
  assert.equal(await db.getTableSize('t'), 21);
});

test('a later call does not overtake those that wait for the opening', async (t) => {
  const db = piko(t);
  const started = db.start().then(() => db.write('t', 'k', 'last'));
  const first = db.write('t', 'k', 'first');
  const second = db.write('t', 'k', 'second');
  await Promise.all([first, second, started]);
  assert.equal(await db.get('t', 'k'), 'last');
  assert.equal((await db.getRecord('t', 'k')).version, 3);
});

test('dictionaries are listed, replaced and removed, and what was written with them stays', async (t) => {
  const db = piko(t, { dictionaries: { one: { deflate: { sensor: 's' } } } });
  const reading = { sensor: 'A', at: [{ sensor: 'B', s: undefined }] };
  await db.write('t', 'a', { sensor: 'A', inner: [{ sensor: 'B' }] }, undefined, 'one');
  db.addDictionary('two', { inflate: { t: 'temperature' } });
  assert.deepEqual(db.listDictionaries(), ['one', 'two']);
  await db.write('t', 'b', { temperature: 1, sensor: 2 }, 0, 'two');
  db.addDictionary('one', { deflate: { temperature: 's' } });
  await db.write('t', 'c', reading, 0, 'one');
  assert.equal(db.removeDictionary('one'), true);
  assert.equal(db.removeDictionary('one'), false);
  assert.deepEqual(db.listDictionaries(), ['two']);
  await assert.rejects(db.write('t', 'd', 1, 0, 'one'), /Dictionary "one" not found/);
  await db.close();
  const other = pikoAt(t, db.databaseDirectory);
  assert.deepEqual(await other.get('t', 'a'), { sensor: 'A', inner: [{ sensor: 'B' }] });
  assert.deepEqual(await other.get('t', 'b'), { temperature: 1, sensor: 2 });
  assert.deepEqual(await other.get('t', 'c'), reading);
  assert.deepEqual(Object.keys(await other.getRecord('t', 'b')), [
    'value',
    'version',
    'timestamp',
    'expiration',
    'dictionaryName',
  ]);
  assert.equal((await other.getRecord('t', 'b')).dictionaryName, 'two');
});

test('what JSON carries comes back, and a Date stays one', async (t) => {
  const db = piko(t);
  class Point {
    x = 1;
    move = () => this.x;
  }
  const values = [
    [{ a: [1, 'b', null, true, { c: -1.5 }] }],
    ['text'],
    [new Date(5)],
    [
      { at: new Date(5), f: () => 1, s: Symbol('s'), a: [() => 1, Symbol('s')] },
      { at: new Date(5), a: [null, null] },
    ],
    [new Point(), { x: 1 }],
    [{ toJSON: (key) => ({ key, at: new Date(1) }) }, { key: '', at: new Date(1) }],
    [{ inner: { toJSON: (key) => key } }, { inner: 'inner' }],
    [
      runInNewContext('({ at: new Date(5), map: new Map([[1, new Set([2])]]) })'),
      { at: new Date(5), map: new Map([[1, new Set([2])]]) },
    ],
    [Buffer.from('bytes')],
    [
      [new Uint16Array([1, 2]).subarray(1), new ArrayBuffer(2)],
      [new Uint16Array([2]), new ArrayBuffer(2)],
    ],
    [new SharedArrayBuffer(2), new ArrayBuffer(2)],
    [[{ toJSON: () => [() => 1, new Date(1)] }], [[null, new Date(1)]]],
    [{ a: { toJSON: () => () => 1 } }, { a: undefined }],
    [new Map([['k', [Number.NaN]]])],
    [Object.assign([], { 2: 1 }), [null, null, 1]],
    [Object(1), 1],
    [JSON.parse('{"__proto__":1,"constructor":2}')],
  ];
  for (const [index, [value, expected = value]] of values.entries()) {
    assert.equal(await db.write('t', `k${index}`, value), true);
    assert.deepEqual(await db.get('t', `k${index}`), expected);
  }
  await db.close();
  for (const [index, [value, expected = value]] of values.entries()) {
    assert.deepEqual(await db.get('t', `k${index}`), expected);
  }
});

test('names and keys of every length and character that PikoDB takes', async (t) => {
  const db = piko(t);
  const tables = ['x'.repeat(255), '表'.repeat(255), 'con.txt', '\u0001', '\u0001con.txt', 'CON-1', 'ünïcødé 🗂'];
  const keys = [
    'k',
    '表'.repeat(1024),
    '🗂'.repeat(512),
    '\ud800',
    '\udc00',
    '\u0001',
    `\u0001${'0'.repeat(64)}`,
    '__proto__',
  ];
  for (const table of tables) {
    for (const key of keys) assert.equal(await db.write(table, key, { table, key }), true);
  }
  await db.close();
  await db.start();
  assert.deepEqual(db.listTables().sort(), [...tables].sort());
  for (const table of tables) {
    for (const key of keys) assert.deepEqual(await db.get(table, key), { table, key });
    const all = await db.get(table);
    assert.deepEqual(all.map(([key]) => key).sort(), [...keys].sort());
    for (const [key, value] of all) assert.deepEqual(value, { table, key });
    assert.deepEqual((await db.getRecord(table, keys[1])).value, { table, key: keys[1] });
    assert.equal(await db.delete(table, keys[1]), true);
    assert.equal(await db.get(table, keys[1]), undefined);
  }
});

test('what another process has open is not written: false, and the reason is kept', async (t) => {
  const directory = newDirectory(t);
  mkdirSync(directory);
  const child = spawnFixture(t, 'holder.mjs', [join(directory, '.cairndb')]);
  await nextLine(child);
  const db = pikoAt(t, directory);
  assert.equal(db.lastError, undefined);
  assert.equal(await db.write('t', 'k', 1), false);
  assert.equal(db.lastError.code, 'ERR_CAIRN_LOCKED');
  assert.equal(await db.delete('t', 'k'), false);
  assert.equal(await db.deleteTable('t'), false);
  for (const call of [() => db.start(), () => db.get('t', 'k'), () => db.get('t'), () => db.getTableSize('t')]) {
    await assert.rejects(call, { code: 'ERR_CAIRN_LOCKED' });
  }
  child.kill('SIGKILL');
  await ended(child);
  assert.equal(await db.write('t', 'k', 1), true);
  assert.equal(await db.get('t', 'k'), 1);
});

test('a directory that cannot be made or opened is an error, not an empty database', async (t) => {
  const directory = newDirectory(t);
  const db = pikoAt(t, directory);
  rmSync(directory, { recursive: true });
  writeFileSync(directory, 'a file');
  await assert.rejects(db.start(), { code: 'ERR_CAIRN_DIRECTORY' });
  assert.equal(await db.write('t', 'k', 1), false);
});

test('values that are too deep are refused with their path, by CairnDB', async (t) => {
  const db = piko(t);
  let value = 1;
  for (let depth = 0; depth < 1100; depth += 1) value = [value];
  await assert.rejects(db.write('t', 'k', value), { code: 'ERR_CAIRN_INVALID_VALUE' });
  assert.equal(db.lastError, undefined);
});
