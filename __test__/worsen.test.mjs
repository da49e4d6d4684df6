// The interface of worsen, row by row.

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import * as esm from 'cairndb/worsen';
import { newDirectory, onEnd, rejects, runFixture, throws } from './helpers.mjs';

const { AllowedExecution, CairnError, PersistentStore } = esm;
const cjs = createRequire(import.meta.url)('cairndb/worsen');

function open(t, directory = newDirectory(t), name = 'worsen') {
  const store = new PersistentStore(name, { db_dir: directory });
  onEnd(t, () => store.close());
  return store;
}

async function reopen(store) {
  await store.close();
  store.init();
  return store;
}

test('ES module and CommonJS module export the same names, and their stores share a directory', async (t) => {
  const names = ['AllowedExecution', 'CairnError', 'PersistentStore'];
  assert.deepEqual(Object.keys(esm).sort(), names);
  assert.deepEqual(Object.keys(cjs).sort(), names);
  const directory = newDirectory(t);
  const one = open(t, directory);
  const two = new cjs.PersistentStore('worsen', { db_dir: directory });
  onEnd(t, () => two.close());
  await one.write({ uid: 'a', data: 1 });
  assert.equal(two.read('a'), 1);
});

for (const [name, api] of Object.entries({ 'an ES module': esm, CommonJS: cjs })) {
  test(`what a program of worsen does runs, with the store from ${name}`, async (t) => {
    const directory = newDirectory(t);
    const store = new api.PersistentStore('worsen', { db_dir: directory, is_debug: false });
    onEnd(t, () => store.close());
    store.init(2000, [
      { uid: 'AppInit', data: true },
      { uid: 'AppErrors', data: true },
    ]);
    assert.equal(store.read('AppInit'), true);
    await store.write('AppErrors', false);
    const user = { root_access: true, allowed_executions: [api.AllowedExecution.Deploy] };
    await store.write({ uid: 'user', data: user }, 0);
    if (store.can_execute()) await store.write({ data: 'under a random uid', persist: true });
    const { app_state, data } = store.get_hashmap_state();
    assert.deepEqual(app_state, {});
    assert.equal(Object.keys(data).length, 4);
    assert.deepEqual(data.user, { root_access: true, allowed_executions: ['Deploy'] });
    assert.equal(store.read('AppErrors'), false);
    clearInterval(store.interval);
  });
}

test('the enumeration has its six names', () => {
  const names = ['AddEmail', 'AddServer', 'CheckDeploymentStatus', 'Deploy', 'ReadEnvironment', 'ViewUsers'];
  assert.deepEqual(Object.keys(AllowedExecution).sort(), names);
  assert.equal(AllowedExecution.ViewUsers, 'View Users');
});

test('the constructor touches no disk, and its members are those of worsen', (t) => {
  const directory = newDirectory(t);
  const store = new PersistentStore(undefined, { db_dir: directory });
  assert.equal(existsSync(directory), false);
  assert.equal(store.db_location, join(directory, 'worsen.store.db'));
  assert.equal(store.cache_db_location, join(directory, 'worsen.cache.store.db'));
  assert.equal(store.lockfile_location, join(directory, 'store.lock'));
  assert.equal(store.polling_interval, 10_000);
  assert.equal(store.interval, undefined);
  assert.equal(store.is_debug, false);
  assert.equal(new PersistentStore('a', { is_debug: true }).is_debug, true);
  assert.equal(new PersistentStore().db_location, join(process.cwd(), 'db_dir', 'worsen.store.db'));
  process.env.DEBUG_PERSISTENCE = 'true';
  assert.equal(new PersistentStore().is_debug, true);
  delete process.env.DEBUG_PERSISTENCE;
});

test('what cannot be a name, a directory, a uid or a record is refused, and nothing is written', async (t) => {
  for (const name of ['', 5, null, 'a/b', '..\\a', 'a\0b']) {
    throws(() => new PersistentStore(name), 'ERR_CAIRN_INVALID_OPTIONS', /name of the store/);
  }
  throws(() => new PersistentStore('a', { db_dir: '' }), 'ERR_CAIRN_INVALID_OPTIONS', /db_dir/);
  const store = open(t);
  for (const uid of [5, null, {}]) {
    throws(() => store.read(uid), 'ERR_CAIRN_INVALID_KEY', /uid/);
    await rejects(() => store.write({ uid, data: 1 }), 'ERR_CAIRN_INVALID_KEY', /uid/);
    throws(() => store.init(1, [{ uid, data: 1 }]), 'ERR_CAIRN_INVALID_KEY', /uid/);
  }
  for (const record of [undefined, null, 5, []]) await rejects(() => store.write(record), 'ERR_CAIRN_INVALID_OPTIONS');
  throws(() => store.init(1, { uid: 'a' }), 'ERR_CAIRN_INVALID_OPTIONS', /init_data/);
  assert.deepEqual(store.get_hashmap_state(), { app_state: {}, data: {} });
});

test('init() has filled the store when it returns, and only what is not there', async (t) => {
  const store = open(t);
  assert.equal(
    store.init(5000, [
      { uid: 'a', data: 1 },
      { uid: 'b', data: [2] },
    ]),
    undefined,
  );
  assert.equal(store.polling_interval, 5000);
  assert.deepEqual([store.read('a'), store.read('b')], [1, [2]]);
  await store.write({ uid: 'a', data: 'changed' });
  store.init(5000, [
    { uid: 'a', data: 1 },
    { uid: 'c', data: 3 },
  ]);
  assert.deepEqual(store.get_hashmap_state().data, { a: 'changed', b: [2], c: 3 });
  await store.close();
  store.init(undefined, [{ uid: 'b', data: 'not this' }]);
  assert.deepEqual(store.get_hashmap_state().data, { a: 'changed', b: [2], c: 3 });
  assert.equal(store.polling_interval, 10_000);
});

test('the same uid twice in init_data: the first one counts', (t) => {
  const store = open(t);
  store.init(1, [
    { uid: 'a', data: 1 },
    { uid: 'a', data: 2 },
  ]);
  assert.equal(store.read('a'), 1);
});

test('interval is a timer that can be cleared', (t) => {
  const store = open(t);
  store.init();
  assert.equal(typeof store.interval.unref, 'function');
  clearInterval(store.interval);
});

test('write() resolves once it is stored, and read() sees it at the call', async (t) => {
  const store = open(t);
  assert.equal(store.read('a'), undefined);
  const writing = store.write({ uid: 'a', data: { n: 1 } });
  assert.equal(store.is_executing, true);
  assert.equal(store.can_execute(), true);
  assert.deepEqual(store.read('a'), { n: 1 });
  assert.equal(await writing, undefined);
  assert.equal(store.is_executing, false);
  await store.write({ uid: 'a', data: { n: 2 }, persist: true }, 3);
  assert.deepEqual((await reopen(store)).read('a'), { n: 2 });
});

test('write() without a uid makes one of 32 hexadecimal digits', async (t) => {
  const store = open(t);
  await Promise.all([store.write({ data: 1 }), store.write({ data: 2 })]);
  const uids = Object.keys(store.get_hashmap_state().data);
  assert.equal(uids.length, 2);
  for (const uid of uids) assert.match(uid, /^[0-9a-f]{32}$/);
});

test('write(uid, data), as the README of worsen shows it, stores that', async (t) => {
  const store = open(t);
  store.init(10_000, [{ uid: 'AppErrors', data: true }]);
  await store.write('AppErrors', false);
  assert.equal(store.read('AppErrors'), false);
  await store.write('AppErrors', undefined);
  assert.equal(store.read('AppErrors'), undefined);
});

test('data: undefined deletes the record', async (t) => {
  const store = open(t);
  await store.write({ uid: 'a', data: 1 });
  await store.write({ uid: 'a', data: undefined });
  await store.write({ uid: 'never', data: undefined });
  assert.deepEqual((await reopen(store)).get_hashmap_state().data, {});
});

test('what is read is a copy', async (t) => {
  const store = open(t);
  const data = { list: [1] };
  await store.write({ uid: 'a', data });
  data.list.push(2);
  store.read('a').list.push(3);
  store.get_hashmap_state().data.a.list.push(4);
  delete store.get_hashmap_state().data.a;
  assert.deepEqual(store.read('a'), { list: [1] });
});

const JSON_VALUES = [
  null,
  true,
  false,
  0,
  -1.5,
  1e300,
  '',
  'ключ-鍵-🔑',
  [],
  {},
  [[], [null]],
  { a: { b: [1, { c: null }] } },
];

test('JSON values come back equal, others as what they were', async (t) => {
  const store = open(t);
  const more = [new Date(5), Number.NaN, new Map([['a', new Set([1])]]), Buffer.from('bytes'), 5n, { a: undefined }];
  const values = [...JSON_VALUES, JSON.parse('{"__proto__":1,"2":0,"1":0}'), ...more];
  await Promise.all(values.map((data, index) => store.write({ uid: `${index}`, data })));
  for (const current of [store, await reopen(store)]) {
    for (const [index, data] of values.entries()) assert.deepEqual(current.read(`${index}`), data);
    assert.deepEqual(current.get_hashmap_state().data, { ...values });
  }
});

const UIDS = [
  ...['__proto__', 'constructor', 'toString', 'hasOwnProperty', '', ' ', '%', '%#', '%002E', '../../evil', '/', 'a\0b'],
  ...['half \uD83D', '\uDD11', 'ключ-鍵-🔑', '10', '9', 'x'.repeat(1024), 'x'.repeat(1025), `${'x'.repeat(5000)}y`],
];

test('every string is a uid, and is itself alone', async (t) => {
  const directory = newDirectory(t);
  const store = open(t, directory);
  for (const uid of UIDS) assert.equal(store.read(uid), undefined, `${uid.slice(0, 20)} is not there`);
  await Promise.all(UIDS.map((uid) => store.write({ uid, data: { uid } })));
  for (const current of [store, await reopen(store)]) {
    for (const uid of UIDS) assert.deepEqual(current.read(uid), { uid });
    const { data } = current.get_hashmap_state();
    assert.deepEqual(Object.keys(data).sort(), [...UIDS].sort());
    for (const uid of UIDS) assert.deepEqual(Object.getOwnPropertyDescriptor(data, uid).value, { uid });
  }
  assert.deepEqual(readdirSync(directory), ['.cairndb']);
});

test('get_hashmap_state() has all records of a large store', async (t) => {
  const store = open(t);
  const seeds = Array.from({ length: 3000 }, (_, index) => ({ uid: `k${index}`, data: { index } }));
  store.init(1, seeds);
  const { data } = store.get_hashmap_state();
  assert.deepEqual(data, Object.fromEntries(seeds.map(({ uid, data: value }) => [uid, value])));
});

test('stores of different names in one directory are apart', async (t) => {
  const directory = newDirectory(t);
  const names = ['worsen', 'second', '.', '..', 'con', 'a b', '%', 'ключ'];
  for (const name of names) await open(t, directory, name).write({ uid: 'name', data: name });
  for (const name of names) assert.equal(open(t, directory, name).read('name'), name);
  assert.deepEqual(readdirSync(directory), ['.cairndb']);
  assert.equal(readdirSync(join(directory, '.cairndb')).length, names.length);
});

test('a closed store refuses everything until init()', async (t) => {
  const store = open(t);
  await store.write({ uid: 'a', data: 1 });
  await store.close();
  await store.close();
  throws(() => store.read('a'), 'ERR_CAIRN_CLOSED', /init\(\)/);
  throws(() => store.get_hashmap_state(), 'ERR_CAIRN_CLOSED');
  throws(() => store.takeover(), 'ERR_CAIRN_CLOSED');
  throws(() => store.removeOriginals(), 'ERR_CAIRN_CLOSED');
  await rejects(() => store.write({ uid: 'a', data: 2 }), 'ERR_CAIRN_CLOSED');
  store.init();
  assert.equal(store.read('a'), 1);
  await store[Symbol.asyncDispose]();
  throws(() => store.read('a'), 'ERR_CAIRN_CLOSED');
});

test('close() waits for what was written', async (t) => {
  const store = open(t);
  const writes = Array.from({ length: 100 }, (_, index) => store.write({ uid: `${index}`, data: index }));
  await store.close();
  await Promise.all(writes);
  store.init();
  assert.equal(Object.keys(store.get_hashmap_state().data).length, 100);
});

test('a directory that cannot be one is a typed error', (t) => {
  const directory = newDirectory(t);
  writeFileSync(directory, 'a file');
  throws(() => open(t, directory).init(), 'ERR_CAIRN_DIRECTORY');
  throws(() => open(t, directory).read('a'), 'ERR_CAIRN_DIRECTORY');
});

test('a process ends by itself without close(), and what it wrote is there', async (t) => {
  const directory = newDirectory(t);
  assert.equal(await runFixture(t, 'worsen-leaver.mjs', directory), '');
  assert.deepEqual(open(t, directory).get_hashmap_state().data, { awaited: 1, gathered: 2 });
  assert.deepEqual(readdirSync(directory), ['.cairndb'], 'no lock is left');
});

// The defects of worsen 0.0.5-beta.2, but those that need its files or several processes.

test('a value that cannot be stored is refused, and the store goes on', async (t) => {
  const store = open(t);
  const circular = {};
  circular.self = circular;
  await store.write({ uid: 'a', data: 1 });
  for (const data of [circular, () => {}, { f: Symbol('s') }]) {
    await rejects(() => store.write({ uid: 'a', data }), 'ERR_CAIRN_INVALID_VALUE');
    throws(
      () =>
        store.init(1, [
          { uid: 'b', data: 1 },
          { uid: 'c', data },
        ]),
      'ERR_CAIRN_INVALID_VALUE',
    );
  }
  assert.equal(store.is_executing, false);
  assert.deepEqual(store.get_hashmap_state().data, { a: 1 });
  await store.write({ uid: 'a', data: 2 });
  assert.equal(store.read('a'), 2);
});

test('two stores in one process lose no update, and see each other at once', async (t) => {
  const directory = newDirectory(t);
  const [one, two] = [open(t, directory), open(t, directory)];
  one.init();
  two.init();
  const writes = Array.from({ length: 100 }, (_, index) =>
    (index % 2 === 0 ? one : two).write({ uid: `${index}`, data: index }),
  );
  await writes[0];
  assert.equal(two.read('0'), 0);
  await Promise.all(writes);
  assert.equal(Object.keys(one.get_hashmap_state().data).length, 100);
});

test('write() before init() keeps what is there', async (t) => {
  const directory = newDirectory(t);
  const first = open(t, directory);
  first.init(1, [{ uid: 'a', data: 1 }]);
  await first.close();
  const store = open(t, directory);
  await store.write({ uid: 'z', data: 26 });
  store.init();
  assert.deepEqual(store.get_hashmap_state().data, { a: 1, z: 26 });
});

test('worker threads lose no update', async (t) => {
  const directory = newDirectory(t);
  mkdirSync(directory);
  const url = new URL('./fixtures/worsen-writer.mjs', import.meta.url);
  const codes = [0, 1, 2, 3].map((id) => {
    const worker = new Worker(url, { argv: [directory, `${id}`, '50'], stdout: true });
    onEnd(t, () => worker.terminate());
    return new Promise((resolve, reject) => {
      worker.once('error', reject);
      worker.once('exit', resolve);
    });
  });
  assert.deepEqual(await Promise.all(codes), [0, 0, 0, 0]);
  const { data } = open(t, directory).get_hashmap_state();
  assert.equal(Object.keys(data).length, 201);
  assert.equal(data.seed, 'seeded');
});

test('an error is a CairnError of this package', async (t) => {
  const store = open(t);
  await assert.rejects(store.write({ uid: 5, data: 1 }), (error) => error instanceof CairnError);
});
