// The interface of dskvs, method by method.

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { test } from 'node:test';
import { CairnDB } from 'cairndb';
import * as esm from 'cairndb/dskvs';
import { ended, newDirectory, nextLine, onEnd, spawnFixture } from './helpers.mjs';

const { CairnError, FileError, KeyError, PathError, Store, StoreError } = esm;
const cjs = createRequire(import.meta.url)('cairndb/dskvs');

async function load(t, directory = newDirectory(t), options = undefined) {
  const store = await Store.open(directory, options);
  onEnd(t, () => store.close());
  return store;
}

/** Asserts that `call` rejects with an error of `type`, whose message begins with what dskvs says. */
async function refused(call, type, text, code) {
  let promise;
  assert.doesNotThrow(() => {
    promise = call();
  });
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof type, `${error.stack}`);
    assert.ok(error instanceof CairnError);
    assert.equal(error.name, type.name);
    assert.equal(error.code, code);
    assert.ok(error.message.startsWith(text), error.message);
    return true;
  });
}

const text = (buffer) => buffer?.toString();

test('ES module and CommonJS module export the same names, and their stores read each other', async (t) => {
  const names = ['CairnError', 'FileError', 'KeyError', 'PathError', 'Store', 'StoreError'];
  assert.deepEqual(Object.keys(esm).sort(), names);
  assert.deepEqual(Object.keys(cjs).sort(), names);
  const directory = newDirectory(t);
  const one = await load(t, directory);
  await one.put('a/b', 'c');
  await one.close();
  const two = await cjs.Store.open(directory);
  onEnd(t, () => two.close());
  assert.equal(text(await two.get('a/b')), 'c');
  await assert.rejects(two.get('a'), (error) => error instanceof cjs.KeyError && error instanceof esm.CairnError);
});

test('get, getAll, put, delete and deleteAll do what dskvs says, also after the store was loaded anew', async (t) => {
  const directory = newDirectory(t);
  const store = new Store(directory);
  onEnd(t, () => store.close());
  await store.load();
  assert.equal(await store.get('artist/daft_punk'), undefined);
  assert.deepEqual(await store.getAll('artist'), []);
  assert.equal(await store.put('artist/daft_punk', 'one'), undefined);
  assert.equal(text(await store.put('artist/daft_punk', Buffer.from('two'))), 'one');
  assert.equal(await store.put('artist/celine_dion', new Uint8Array([1, 2])), undefined);
  assert.deepEqual(await store.get('artist/celine_dion'), Buffer.from([1, 2]));
  assert.deepEqual((await store.getAll('artist')).map(text), ['\x01\x02', 'two']);
  assert.deepEqual(await store.getAll('artist/'), await store.getAll('artist'), 'with a separator at the end, too');

  await store.close();
  await store.load();
  assert.equal(text(await store.get('artist/daft_punk')), 'two');
  assert.equal(await store.delete('artist/celine_dion'), undefined);
  assert.equal(await store.delete('artist/celine_dion'), undefined, 'a member that is missing is no error');
  assert.equal(await store.get('artist/celine_dion'), undefined);
  assert.equal(await store.deleteAll('artist'), undefined);
  assert.equal(await store.deleteAll('artist'), undefined, 'a collection that is missing is no error');
  assert.deepEqual(await store.getAll('artist'), []);

  await store.close();
  await store.load();
  assert.deepEqual(await store.getAll('artist'), [], 'what was deleted stays so');
});

for (const [name, { Store: AnyStore }] of Object.entries({ 'an ES module': esm, CommonJS: cjs })) {
  test(`the example of the README of dskvs runs, with the store from ${name}`, async (t) => {
    const store = new AnyStore(newDirectory(t));
    onEnd(t, () => store.close());
    await store.load();
    assert.equal(await store.get('artist/daft_punk'), undefined);
    assert.deepEqual(await store.getAll('artist'), []);
    assert.equal(await store.put('artist/daft_punk', "{ quality:'epic' }"), undefined);
    assert.equal(text(await store.put('artist/daft_punk', 'better')), "{ quality:'epic' }");
    await store.delete('artist/celine_dion');
    await store.deleteAll('artist');
    assert.equal(await store.get('artist/daft_punk'), undefined);
    await store.close();
  });
}

test('keys that cannot be one, or are none for the method, are refused as in dskvs', async (t) => {
  const store = await load(t);
  const key = (call, message) => refused(call, KeyError, message, 'ERR_CAIRN_INVALID_KEY');
  for (const call of [
    (k) => store.get(k),
    (k) => store.getAll(k),
    (k) => store.put(k, 'v'),
    (k) => store.delete(k),
    (k) => store.deleteAll(k),
  ]) {
    await key(() => call(''), 'key is empty, key=<empty string>');
    await key(() => call('/a'), 'key has no collection identifier, key="/a"');
    await key(() => call('/'), 'key has no collection identifier');
    await key(() => call(5), 'key is not a string, key=5');
    await key(() => call(undefined), 'key is not a string');
  }
  for (const collection of ['a', 'a/']) {
    await key(() => store.get(collection), 'key requested a Get on a collection, wrong method');
    await key(() => store.put(collection, 'v'), 'key requested a Put on a collection, wrong method');
    await key(() => store.delete(collection), 'key requested a Delete on a collection, wrong method');
  }
  await key(() => store.getAll('a/b'), 'key requested a GetAll for only a member, wrong method');
  await key(() => store.deleteAll('a/b'), 'key requested a DeleteAll for only a member, wrong method');
  await key(() => store.delete('a/b'), 'key does not represent a collection in this store, key="a/b"');
  assert.deepEqual(await store.getAll('a'), [], 'nothing was written');
});

const NAMES = [
  ...[
    '..',
    '.',
    '.hidden',
    '...',
    'a..b',
    '../evil',
    'con',
    'NUL.txt',
    'back\\slash',
    'C:\\x',
    'with\0nul',
    '%',
    '%002E',
  ],
  ...[
    '%#',
    'ключ-鍵-🔑',
    'half \uD83D',
    '\uDD11 half',
    '\uD83D',
    ' ',
    'x'.repeat(255),
    'x'.repeat(256),
    '%'.repeat(200),
  ],
  ...[
    'x'.repeat(5000),
    `${'x'.repeat(5000)}y`,
    `${'x'.repeat(5000)}\uD83D`,
    `${'x'.repeat(5000)}\uDD11`,
    '🔑'.repeat(400),
    '__proto__',
    'constructor',
    '.cairndb',
    'takeover.json',
  ],
  ...['CASE', 'case', '\uFEFFmark', 'e\u0301', '\u00E9'],
];

test('every string is a collection and a member, is itself alone, and lies in the store', async (t) => {
  const directory = newDirectory(t);
  const store = await load(t, directory);
  const collections = NAMES.filter((name) => !name.includes('/'));
  const value = (...parts) => JSON.stringify(parts);
  for (const collection of collections) {
    for (const member of NAMES) {
      assert.equal(await store.put(`${collection}/${member}`, value(collection, member)), undefined);
    }
  }
  await store.close();
  await store.load();
  for (const collection of collections) {
    for (const member of NAMES) {
      assert.equal(text(await store.get(`${collection}/${member}`)), value(collection, member));
    }
    assert.equal((await store.getAll(collection)).length, NAMES.length);
  }
  assert.deepEqual(readdirSync(directory), ['.cairndb']);
  assert.deepEqual(readdirSync(dirname(directory)), ['data']);
});

test('a member may begin with separators and contain them', async (t) => {
  const store = await load(t);
  for (const key of ['a/b/c', 'a//b', 'a//', 'a/b/', 'a/../../evil', 'a/b']) {
    assert.equal(await store.put(key, key), undefined);
  }
  for (const key of ['a/b/c', 'a//b', 'a//', 'a/b/', 'a/../../evil', 'a/b'])
    assert.equal(text(await store.get(key)), key);
});

test('values are bytes of any length, copied when they are given and when they are returned', async (t) => {
  const store = await load(t);
  const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  const given = Buffer.from(all);
  const put = store.put('a/all', given);
  given.fill(0);
  await put;
  (await store.get('a/all')).fill(0);
  assert.deepEqual(await store.get('a/all'), all);
  await store.put('a/empty', '');
  assert.deepEqual(await store.get('a/empty'), Buffer.alloc(0));
  const window = new Uint8Array(all.buffer, all.byteOffset + 10, 5);
  await store.put('a/window', window);
  assert.deepEqual(await store.get('a/window'), Buffer.from([10, 11, 12, 13, 14]));
  const large = Buffer.alloc(3_000_000, 'large');
  await store.put('a/large', large);
  assert.ok(large.equals(await store.get('a/large')));
  for (const value of [undefined, null, 5, {}, [1], new Date(0), 'half \uD83D']) {
    await refused(() => store.put('a/b', value), CairnError, 'The value is', 'ERR_CAIRN_INVALID_VALUE');
  }
  assert.equal(await store.get('a/b'), undefined);
});

test('puts that are not awaited are done in the order of the calls, and each returns the one before', async (t) => {
  const store = await load(t);
  const results = await Promise.all(Array.from({ length: 500 }, (_, index) => store.put('a/b', `${index}`)));
  assert.deepEqual(results.map(text), [undefined, ...Array.from({ length: 499 }, (_, index) => `${index}`)]);
});

test('paths that cannot be one are refused with PathError', async (t) => {
  for (const path of ['', undefined, 5, 'a\0b']) {
    assert.throws(
      () => new Store(path),
      (error) => {
        assert.ok(error instanceof PathError && error.message.startsWith('String is not a valid path'), error.message);
        return error.code === 'ERR_CAIRN_INVALID_OPTIONS';
      },
    );
  }
  const directory = newDirectory(t);
  writeFileSync(directory, 'a file');
  await refused(() => Store.open(directory), PathError, 'String is not a valid path', 'ERR_CAIRN_DIRECTORY');
  assert.equal(new Store('relative').directory, resolve('relative'));
  assert.equal(existsSync('relative'), false, 'the constructor touches no disk');
});

test('a store of the other module is another store, too', async (t) => {
  const directory = newDirectory(t);
  await load(t, directory);
  await assert.rejects(cjs.Store.open(directory), cjs.PathError);
});

test('one store has a path, in this process and among others', async (t) => {
  const directory = newDirectory(t);
  const store = await load(t, directory);
  const inUse = () =>
    refused(() => Store.open(directory), PathError, 'Path is already used by another', 'ERR_CAIRN_LOCKED');
  await inUse();
  await store.put('a/b', 'still here');
  assert.equal(text(await store.get('a/b')), 'still here');
  await store.close();
  const holder = spawnFixture(t, 'holder.mjs', [join(directory, '.cairndb')]);
  assert.equal(await nextLine(holder), 'open');
  await inUse();
  holder.stdin.end();
  await ended(holder);
  assert.equal(text(await (await load(t, directory)).get('a/b')), 'still here');
});

test('of two stores that load a path at once one is refused', async (t) => {
  const directory = newDirectory(t);
  const stores = [new Store(directory), new Store(directory)];
  for (const store of stores) onEnd(t, () => store.close());
  const outcomes = await Promise.allSettled(stores.map((store) => store.load()));
  assert.deepEqual(outcomes.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
  assert.ok(outcomes.find(({ reason }) => reason !== undefined).reason instanceof PathError);
});

test('a store that is not loaded refuses everything but load() and close()', async (t) => {
  const store = new Store(newDirectory(t));
  const notLoaded = async () => {
    for (const call of [
      () => store.get('a/b'),
      () => store.getAll('a'),
      () => store.put('a/b', 'c'),
      () => store.delete('a/b'),
      () => store.deleteAll('a'),
      () => store.flush(),
    ]) {
      await refused(call, StoreError, 'Store with path <', 'ERR_CAIRN_CLOSED');
    }
    assert.throws(() => store.takeover(), StoreError);
    assert.throws(() => store.removeOriginals(), StoreError);
  };
  await notLoaded();
  assert.equal(await store.close(), undefined);
  await Promise.all([store.load(), store.load()]);
  await store.load();
  await store.put('a/b', 'c');
  await Promise.all([store.close(), store.close()]);
  await notLoaded();
});

test('close() while it is loading waits, and leaves the path free', async (t) => {
  const directory = newDirectory(t);
  const store = new Store(directory);
  const loading = store.load();
  await store.close();
  await loading;
  await assert.rejects(store.get('a/b'), StoreError);
  await load(t, directory);
});

test('unknown options are refused, and durability can be raised', async (t) => {
  const directory = newDirectory(t);
  assert.throws(() => new Store(directory, { flushIntervall: 5 }), { code: 'ERR_CAIRN_INVALID_OPTIONS' });
  assert.throws(() => new Store(directory, { durability: 'never' }), { code: 'ERR_CAIRN_INVALID_OPTIONS' });
  const store = await load(t, directory, { durability: 'full' });
  await store.put('a/b', 'c');
  assert.equal(text(await store.get('a/b')), 'c');
});

test('the store can be disposed of by `await using`', async (t) => {
  const directory = newDirectory(t);
  const store = await Store.open(directory);
  await store.put('a/b', 'c');
  await store[Symbol.asyncDispose]();
  await assert.rejects(store.get('a/b'), StoreError);
  assert.equal(text(await (await load(t, directory)).get('a/b')), 'c');
});

test('what a FileError is', () => {
  const error = new FileError('Failed checksum check', '/a/b');
  assert.equal(error.code, 'ERR_CAIRN_CORRUPT');
  assert.equal(error.path, '/a/b');
  assert.equal(error.message, 'Failed checksum check, file=/a/b');
});

/** How many of k0, k1, … a store has, which must be a prefix. */
async function prefix(t, directory) {
  const store = await load(t, directory);
  const { length } = await store.getAll('t');
  for (let index = 0; index < length; index += 1) assert.equal(text(await store.get(`t/k${index}`)), `value ${index}`);
  await store.close();
  return length;
}

// An hour for the interval, so that flush() and close() alone bring anything to the disk; and one of a millisecond, so
// that the kill may come in the middle of that.
for (const interval of [3_600_000, 1]) {
  test(`a kill takes only what was put after the last flush(), with an interval of ${interval} ms`, async (t) => {
    const directory = newDirectory(t);
    mkdirSync(directory);
    const writer = spawnFixture(t, 'dskvs-writer.mjs', [directory, String(interval)]);
    const end = ended(writer);
    await new Promise((done) => {
      let seen = '';
      writer.stdout.on('data', (data) => {
        seen += data;
        if (seen.includes('put 600')) done();
      });
    });
    writer.kill('SIGKILL');
    const { stdout, stderr } = await end;
    assert.equal(stderr, '');
    const counts = (word) =>
      [...stdout.matchAll(new RegExp(`^${word} (\\d+)$`, 'gm'))].map(([, count]) => Number(count));
    const flushed = counts('flushed').at(-1);
    const there = await prefix(t, directory);
    assert.ok(there >= flushed, `${there} of at least ${flushed}`);
    if (interval > 1) assert.equal(there % 300, 100, `${there} is what one of the calls of flush() has written`);
  });
}

test('a kill right after close() takes nothing', async (t) => {
  const directory = newDirectory(t);
  const writer = spawnFixture(t, 'dskvs-writer.mjs', [directory, '3600000', '5000']);
  assert.equal((await ended(writer)).signal, 'SIGKILL');
  assert.equal(await prefix(t, directory), 5000);
});

test('the data is a database of CairnDB, which can be verified', async (t) => {
  const directory = newDirectory(t);
  const store = await load(t, directory);
  await store.put('artist/daft_punk', 'x');
  await store.close();
  const db = await CairnDB.open(join(directory, '.cairndb'));
  onEnd(t, () => db.close());
  assert.deepEqual(await db.get('artist'), [['daft_punk', Buffer.from('x')]]);
  assert.deepEqual((await db.verify()).damage, []);
});
