// What was wrong with Persistency, and what it promised: each shown to hold here.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { CairnDB } from 'cairndb';
import { Persistency } from 'cairndb/persistency';
import { needs, runScript } from './disks/machine.mjs';
import { killedAfter, onEnd, runFixture, spawnFixture } from './helpers.mjs';
import { filesOf, writeFiles } from './persistency/files.mjs';
import { contentOf, newFolder, open, openAt, reopen } from './persistency/helpers.mjs';

const home = (folder) => join(folder, '.cairndb');

/** The database of a store, which it shares with it, until the end of the test. */
async function databaseOf(t, folder) {
  const db = await CairnDB.open(home(folder));
  onEnd(t, () => db.close());
  return db;
}

for (const options of [{}, { reclaimDelay: 0 }]) {
  test(`deleted keys stay deleted after closing, with ${JSON.stringify(options)}`, (t) => {
    const folder = newFolder(t);
    let store = openAt(t, folder, options);
    for (const key of ['x', 'a', 'b', 'k', 'k']) store.set(key, Buffer.from(key.repeat(4)));
    for (const key of ['x', 'a', 'k']) assert.equal(store.delete(key), true);
    for (const again of [false, true]) {
      if (again) store = reopen(t, store, folder, options);
      for (const key of ['x', 'a', 'k']) assert.equal(store.get(key), null);
      assert.deepEqual([...contentOf(store).keys()], ['b']);
    }
  });
}

test('no write reuses the place of a living value, with a delay, updates and deletions', async (t) => {
  const store = open(t, { reclaimDelay: 100 });
  store.set('k3', Buffer.from('qqqq'));
  store.set('k0', Buffer.from('m'));
  store.set('k0', Buffer.from('mmmm'));
  await wait(140);
  store.set('k2', Buffer.from('cccccc'));
  store.delete('k0');
  store.set('k1', Buffer.from('aaaaaa'));
  assert.equal(store.get('k2').toString(), 'cccccc');
});

for (let seed = 1; seed <= 12; seed += 1) {
  test(`200 random steps are those of a map, with deletions, reclaimDelay 100 and seed ${seed}`, (t) => {
    let state = seed;
    const random = (below) => {
      // A linear congruential generator: the same seed is the same run.
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    const folder = newFolder(t);
    let store = openAt(t, folder, { reclaimDelay: 100 });
    const model = new Map();
    for (let step = 0; step < 200; step += 1) {
      const key = `k${random(8)}`;
      const action = random(100);
      if (action < 50) {
        const value = Buffer.alloc(random(12), 97 + random(26));
        store.set(key, value);
        model.set(key, value.toString('hex'));
      } else if (action < 70) assert.equal(store.delete(key), model.delete(key));
      else if (action < 97) assert.equal(store.get(key)?.toString('hex'), model.get(key));
      else store = reopen(t, store, folder, { reclaimDelay: 100 });
      assert.equal(store.count(), model.size);
    }
    assert.deepEqual(contentOf(store), new Map([...model].sort()));
    store = reopen(t, store, folder);
    assert.deepEqual(contentOf(store), new Map([...model].sort()));
  });
}

test('a store that is closed writes into no other file', (t) => {
  const folder = newFolder(t);
  const store = openAt(t, folder);
  store.set('k', Buffer.from('v'));
  store.close();
  // These get the numbers of the files that were closed.
  const names = Array.from({ length: 8 }, (_, index) => join(folder, `other${index}`));
  const files = names.map((name) => openSync(name, 'w+'));
  onEnd(t, () => files.map((file) => closeSync(file)));
  for (const file of files) writeSync(file, 'untouched');
  for (const call of [() => store.set('k', Buffer.alloc(100)), () => store.delete('k'), () => store.close()]) {
    try {
      call();
    } catch (error) {
      assert.equal(error.code, 'ERR_CAIRN_CLOSED');
    }
  }
  for (const name of names) assert.equal(readFileSync(name, 'utf8'), 'untouched');
});

test('two stores of one folder in a process see each other, and lose nothing', (t) => {
  const folder = newFolder(t);
  const [one, two] = [openAt(t, folder), openAt(t, folder)];
  for (let index = 0; index < 20; index += 1) {
    const [writer, reader] = index % 2 === 0 ? [one, two] : [two, one];
    writer.set(`k${index}`, Buffer.from(`${index}`));
    assert.equal(reader.get(`k${index}`).toString(), `${index}`);
    assert.equal(reader.count(), index + 1);
  }
  one.close();
  two.set('after', Buffer.from('one was closed'));
  two.close();
  assert.equal(openAt(t, folder).count(), 21);
});

test('a worker and the main thread share a folder, which is free once both are done', async (t) => {
  const folder = newFolder(t);
  const store = openAt(t, folder);
  store.set('of the main thread', Buffer.from('1'));
  const worker = new Worker(new URL('./fixtures/persistency-worker.mjs', import.meta.url), { workerData: folder });
  const ending = once(worker, 'exit');
  assert.deepEqual(await once(worker, 'message'), ['1']);
  await ending;
  assert.equal(store.get('of the worker').toString(), '2');
  store.close();
  assert.equal(await runFixture(t, 'opener.mjs', home(folder)), 'opened\n');
});

test('keys whose version Persistency could not count any further can be updated', (t) => {
  const versions = [2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];
  const records = versions.map((version) => ({ key: `k${version}`, value: 'old', version }));
  const store = openAt(t, writeFiles(newFolder(t), filesOf('2.0.3', records)));
  for (const version of versions) {
    store.set(`k${version}`, Buffer.from('new'));
    assert.equal(store.get(`k${version}`).toString(), 'new');
  }
});

test('a disk that is full refuses a value, and what was there stays', needs('tmpfs'), (t) =>
  runScript(t, '../persistency/full-disk.mjs'),
);

test('a byte that changed on the disk is an error, and never another value', async (t) => {
  const folder = newFolder(t);
  const store = openAt(t, folder);
  const keys = Array.from({ length: 50 }, (_, index) => `k${index}`);
  // Bytes that nothing packs.
  const values = new Map(keys.map((key) => [key, randomBytes(2000)]));
  for (const [key, value] of values) store.set(key, value);
  await (await databaseOf(t, folder)).compact();
  const [name, ...others] = readdirSync(home(folder)).filter((name) => name.endsWith('.stone'));
  assert.deepEqual(others, []);
  const path = join(home(folder), name);
  const at = readFileSync(path).indexOf(values.get('k7'));
  assert.ok(at > 0);
  const file = openSync(path, 'r+');
  writeSync(file, Buffer.from([values.get('k7')[0] ^ 1]), 0, 1, at);
  closeSync(file);
  for (const key of keys) {
    if (key === 'k7') assert.throws(() => store.get(key), { code: 'ERR_CAIRN_CORRUPT', path });
    else assert.deepEqual(store.get(key), values.get(key));
  }
  assert.throws(() => contentOf(store), { code: 'ERR_CAIRN_CORRUPT' });
});

test('set and delete return after a sync of the disk', async (t) => {
  const folder = newFolder(t);
  const store = openAt(t, folder);
  const db = await databaseOf(t, folder);
  const syncsDuring = async (call) => {
    const { syncs } = await db.stats();
    call();
    return (await db.stats()).syncs - syncs;
  };
  for (let index = 0; index < 20; index += 1) {
    assert.ok((await syncsDuring(() => store.set(`k${index}`, Buffer.alloc(index * 30_000)))) > 0);
    assert.ok((await syncsDuring(() => store.delete(`k${index}`))) > 0);
  }
  assert.equal(await syncsDuring(() => store.get('k')), 0);
});

test('what was set or deleted is there after the process is killed', async (t) => {
  const folder = newFolder(t);
  for (const least of [1, 10, 200]) {
    const writer = spawnFixture(t, 'persistency-writer.mjs', [folder]);
    const acknowledged = await killedAfter(writer, least);
    const expected = new Map();
    for (const line of acknowledged) {
      const [action, index] = line.split(' ');
      expected.set(index, action === 'set' ? `value ${index}` : undefined);
    }
    const store = openAt(t, folder);
    // The last call may have been done without saying so.
    const [last] = acknowledged.at(-1).split(' ').slice(1);
    for (const [index, value] of expected) {
      if (index !== last) assert.equal(store.get(`k${index}`)?.toString(), value, `k${index}`);
    }
    for (const [key] of store.cursor()) store.delete(key);
    store.close();
  }
});

test('a process ends by itself, however long the delay, and without close()', async (t) => {
  const folder = newFolder(t);
  assert.equal(await runFixture(t, 'persistency-leaver.mjs', folder), '');
  assert.equal(openAt(t, folder).get('k').toString(), 'new');
});

test('the delay, and nothing else that is given, reaches the engine', (t) => {
  const native = createRequire(import.meta.url)('../native.cjs');
  const { openSync } = native;
  onEnd(t, () => {
    native.openSync = openSync;
  });
  const seen = [];
  native.openSync = (directory, options, settle) => {
    seen.push(options);
    return openSync(directory, options, settle);
  };
  for (const reclaimDelay of [12_345, 0, -1]) open(t, { reclaimDelay });
  open(t, { reclaimTimeout: 77 });
  open(t);
  assert.deepEqual(
    seen.map(({ reclaimDelay }) => reclaimDelay),
    [12_345, 0, 0, 77, 900_000],
  );
  for (const options of seen) assert.equal(options.durability, 2);
});

const MEBIBYTE = 1024 * 1024;
const content = (index, round) => Buffer.alloc(MEBIBYTE, `${round}:${index}:`);

/** Sets 80 values of a MiB each, more than is kept in memory, and waits until there is a file of them. */
async function fill(store, round) {
  for (let index = 0; index < 80; index += 1) store.set(`k${index}`, content(index, round));
  while (store.getAllocatedBlocks().data.length === 0) await wait(10);
}

for (const [reclaimDelay, what] of [
  [3_600_000, 'stays untouched for the delay'],
  [0, 'is removed without one'],
]) {
  test(`more data than memory is there for; what was replaced ${what}`, async (t) => {
    const folder = newFolder(t);
    let store = openAt(t, folder, { reclaimDelay });
    const files = () => readdirSync(home(folder)).filter((name) => /\.(stone|journal)$/.test(name));
    await fill(store, 1);
    const old = files().filter((name) => name.endsWith('.stone'));
    const before = old.map((name) => readFileSync(join(home(folder), name)));
    assert.ok(old.length > 0);
    for (const round of [2, 3, 4]) await fill(store, round);
    if (reclaimDelay === 0) {
      while (files().some((name) => old.includes(name))) {
        store.set('another', Buffer.alloc(MEBIBYTE));
        await wait(10);
      }
      store.delete('another');
    } else {
      while (Math.max(...manifests(folder)) <= 2) await wait(10);
      for (const [index, name] of old.entries()) {
        assert.ok(readFileSync(join(home(folder), name)).equals(before[index]), name);
      }
    }
    for (const again of [false, true]) {
      if (again) store = reopen(t, store, folder, { reclaimDelay });
      assert.equal(store.count(), 80);
      for (let index = 0; index < 80; index += 1) assert.ok(store.get(`k${index}`).equals(content(index, 4)));
      for (const [key, value] of store.cursor()) assert.ok(value.equals(content(key.slice(1), 4)), key);
    }
  });
}

const manifests = (folder) =>
  readdirSync(home(folder))
    .filter((name) => name.endsWith('.manifest'))
    .map((name) => Number.parseInt(name, 10));

test('a program runs with only the import changed, as either kind of module', async (t) => {
  const program = readFileSync(new URL('./fixtures/persistency-program.js', import.meta.url), 'utf8');
  const expected = [...program.matchAll(/^\s*\/\/> (.*)$/gm)].map(([, text]) => `${text}\n`).join('');
  // In the repository, where the name of the package leads to it.
  const cache = fileURLToPath(new URL('../.cache/persistency/', import.meta.url));
  mkdirSync(cache, { recursive: true });
  for (const [ending, line] of [
    ['mjs', "import { Persistency } from 'cairndb/persistency';"],
    ['cjs', "const { Persistency } = require('cairndb/persistency');"],
  ]) {
    writeFileSync(`${cache}program.${ending}`, `${line}\n${program}`);
    assert.equal(await runFixture(t, `../../.cache/persistency/program.${ending}`, newFolder(t)), expected);
  }
});

test('a class that extends Persistency works as it does', (t) => {
  class Json extends Persistency {
    setJson(key, value) {
      this.set(key, Buffer.from(JSON.stringify(value)));
    }
    getJson(key) {
      return JSON.parse(this.get(key)?.toString() ?? 'null');
    }
  }
  const store = new Json({ folder: newFolder(t) });
  onEnd(t, () => store.close());
  store.setJson('k', { data: 1 });
  assert.deepEqual(store.getJson('k'), { data: 1 });
  assert.equal(store.getJson('other'), null);
});
