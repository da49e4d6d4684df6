// What worsen 0.0.5-beta.2 wrote is taken over as it was, whole, once, and without touching it.

import assert from 'node:assert/strict';
import fs, { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { deflateSync, inflateSync } from 'node:zlib';
import { PersistentStore } from 'cairndb/worsen';
import { ended, killedAtStep, newDirectory, onEnd, runFixture, spawnFixture, throws } from './helpers.mjs';

const fixtures = fileURLToPath(new URL('./fixtures/worsen/', import.meta.url));
const { data: STORES } = JSON.parse(readFileSync(join(fixtures, 'expected.json'), 'utf8'));
const EXPECTED = STORES.worsen;
const [FILE, BACKUP, DOCUMENTED] = ['worsen.store.db', 'worsen.cache.store.db', 'worsen.cache.db'];

/** A copy of the fixture, in a directory that is removed after the test. */
function copyOf(t) {
  const directory = newDirectory(t);
  cpSync(join(fixtures, 'data'), directory, { recursive: true });
  return directory;
}

function open(t, directory, name = 'worsen') {
  const store = new PersistentStore(name, { db_dir: directory });
  onEnd(t, () => store.close());
  return store;
}

/** Every file in a directory, with its content, but the database. */
function originals(directory) {
  const names = readdirSync(directory).filter((name) => name !== '.cairndb');
  return Object.fromEntries(names.sort().map((name) => [name, readFileSync(join(directory, name), 'latin1')]));
}

/** Writes a file as worsen does. */
function writeStore(directory, file, content) {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, file), deflateSync(typeof content === 'string' ? content : JSON.stringify(content)));
}

const names = (list) => list.map(({ name }) => name);

test('both stores of the fixture are taken over with the expected contents, and their files stay as they are', async (t) => {
  assert.deepEqual(Object.keys(STORES).sort(), ['second', 'worsen']);
  assert.ok(Object.keys(EXPECTED.data).length > 50);
  const directory = copyOf(t);
  const before = originals(directory);
  for (const [name, expected] of Object.entries(STORES)) {
    const store = open(t, directory, name);
    store.init();
    for (const [uid, data] of Object.entries(expected.data)) assert.deepEqual(store.read(uid), data, uid);
    assert.deepEqual(store.get_hashmap_state(), expected);
    const { system, files, refused } = store.takeover();
    assert.equal(system, 'worsen');
    assert.deepEqual(refused, []);
    assert.deepEqual(names(files), [`${name}.store.db`, `${name}.cache.store.db`]);
    assert.deepEqual(
      files.map(({ records }) => records),
      [Object.keys(expected.data).length, 0],
    );
    await store.close();
    store.init();
    assert.deepEqual(store.get_hashmap_state(), expected);
  }
  assert.deepEqual(originals(directory), before);
});

test('it is done by the first use, whatever that is', async (t) => {
  assert.equal(open(t, copyOf(t)).read('AppInit'), true);
  assert.deepEqual(open(t, copyOf(t)).get_hashmap_state(), EXPECTED);
  const store = open(t, copyOf(t));
  await store.write({ uid: 'z', data: 26 });
  assert.deepEqual(store.get_hashmap_state().data, { ...EXPECTED.data, z: 26 });
});

test('init_data does not come before what is taken over', (t) => {
  const store = open(t, copyOf(t));
  store.init(10_000, [
    { uid: 'AppErrors', data: 'seed' },
    { uid: 'new', data: 'seed' },
  ]);
  assert.deepEqual(store.get_hashmap_state().data, { ...EXPECTED.data, new: 'seed' });
});

test('it is done once: what was changed and deleted since stays so', async (t) => {
  const directory = copyOf(t);
  const store = open(t, directory);
  await store.write({ uid: 'zero', data: 'changed' });
  await store.write({ uid: 'queue', data: undefined });
  await store.close();
  store.init();
  assert.equal(store.read('zero'), 'changed');
  assert.equal(store.read('queue'), undefined);
});

test('a directory without a store has no take-over, and files that come later are not taken', async (t) => {
  const directory = newDirectory(t);
  const store = open(t, directory);
  assert.equal(store.takeover(), undefined);
  assert.deepEqual(store.removeOriginals(), { removed: [], kept: [] });
  await store.write({ uid: 'a', data: 1 });
  await store.close();
  writeStore(directory, FILE, { app_state: {}, data: { a: 2, b: 2 } });
  store.init();
  assert.deepEqual(store.get_hashmap_state().data, { a: 1 });
});

test('what stands beside the records is kept, and uids and values of every kind are', (t) => {
  const directory = newDirectory(t);
  const long = 'long '.repeat(1000);
  const text = `{"app_state":{"a":[1]},"data":{"__proto__":{"__proto__":1},"":0,"constructor":null,"10":1,"${long}":2,"\\ud83d":3}}`;
  writeStore(directory, FILE, text);
  const store = open(t, directory);
  const { app_state, data } = store.get_hashmap_state();
  assert.deepEqual(app_state, { a: [1] });
  assert.deepEqual(data, JSON.parse(text).data);
  assert.deepEqual(store.read('__proto__'), JSON.parse('{"__proto__":1}'));
  assert.equal(store.read(long), 2);
});

test('an empty store is taken over', (t) => {
  const directory = newDirectory(t);
  writeStore(directory, FILE, { app_state: {}, data: {} });
  const store = open(t, directory);
  assert.deepEqual(store.get_hashmap_state(), { app_state: {}, data: {} });
  assert.deepEqual(names(store.takeover().files), [FILE]);
});

const DAMAGE = [
  ['it is empty', () => Buffer.alloc(0)],
  ['it is cut off', (bytes) => bytes.subarray(0, -20)],
  ['a byte is another', (bytes) => bytes.map((byte, index) => (index === 40 ? byte ^ 1 : byte))],
  ['it is zeros', (bytes) => Buffer.alloc(bytes.length)],
  ['it is no JSON', () => deflateSync('{"app_state":{},"data":{')],
  ['it is JSON of something else', () => deflateSync('[]')],
  ['its data is no object', () => deflateSync('{"app_state":{},"data":[]}')],
  ['its state is no object', () => deflateSync('{"app_state":5,"data":{}}')],
  ['it is not UTF-8', () => deflateSync(Buffer.from([0x22, 0xff, 0x22]))],
];

for (const [what, damage] of DAMAGE) {
  test(`a damaged file is reported, and its backup taken over: ${what}`, (t) => {
    const directory = copyOf(t);
    const damaged = damage(readFileSync(join(directory, FILE)));
    writeFileSync(join(directory, FILE), damaged);
    const before = originals(directory);
    const store = open(t, directory);
    store.init();
    assert.deepEqual(store.get_hashmap_state(), EXPECTED);
    const { files, refused } = store.takeover();
    assert.deepEqual(names(files), [BACKUP]);
    assert.deepEqual(names(refused), [FILE]);
    assert.match(refused[0].why, /^It is damaged: /);
    assert.deepEqual(originals(directory), before);
    assert.deepEqual(store.removeOriginals(), { removed: [BACKUP], kept: [] });
    assert.equal(readFileSync(join(directory, FILE), 'latin1'), damaged.toString('latin1'), 'the damaged one is left');
  });

  test(`if the backup is damaged too it is an error, and nothing is written: ${what}`, async (t) => {
    const directory = copyOf(t);
    for (const file of [FILE, BACKUP])
      writeFileSync(join(directory, file), damage(readFileSync(join(directory, file))));
    const before = originals(directory);
    const store = open(t, directory);
    throws(() => store.init(), 'ERR_CAIRN_CORRUPT', /worsen\.store\.db.*worsen\.cache\.store\.db.*Restore/s);
    throws(() => store.read('AppInit'), 'ERR_CAIRN_CORRUPT');
    assert.deepEqual(originals(directory), before);
    // Once one is restored, it goes on.
    cpSync(join(fixtures, 'data', FILE), join(directory, FILE));
    store.init();
    assert.deepEqual(store.get_hashmap_state(), EXPECTED);
  });
}

test('a store of which the backup alone is there, under either name, is taken over', (t) => {
  for (const backup of [BACKUP, DOCUMENTED]) {
    const directory = newDirectory(t);
    mkdirSync(directory);
    cpSync(join(fixtures, 'data', BACKUP), join(directory, backup));
    const store = open(t, directory);
    assert.deepEqual(store.get_hashmap_state(), EXPECTED);
    assert.deepEqual(names(store.takeover().files), [backup]);
  }
});

test('a backup that is not the same is reported, and not removed', (t) => {
  const directory = copyOf(t);
  writeStore(directory, BACKUP, { app_state: {}, data: { other: 1 } });
  const store = open(t, directory);
  assert.deepEqual(store.get_hashmap_state(), EXPECTED);
  assert.deepEqual(names(store.takeover().refused), [BACKUP]);
  assert.deepEqual(store.removeOriginals(), { removed: [FILE], kept: [] });
  assert.equal(existsSync(join(directory, BACKUP)), true);
});

test('an original that has changed since is not removed; those of other stores are never', (t) => {
  const directory = copyOf(t);
  const store = open(t, directory);
  store.init();
  writeStore(directory, FILE, { app_state: {}, data: { later: 1 } });
  const { removed, kept } = store.removeOriginals();
  assert.deepEqual(removed, [BACKUP]);
  assert.deepEqual(names(kept), [FILE]);
  assert.deepEqual(Object.keys(originals(directory)).sort(), ['second.cache.store.db', 'second.store.db', FILE]);
  assert.deepEqual(store.get_hashmap_state(), EXPECTED);
});

const lock = (directory, content) => writeFileSync(join(directory, 'store.lock'), content);

/** The number of a process that has ended. */
async function deadPid() {
  const { spawn } = await import('node:child_process');
  const child = spawn(process.execPath, ['--version'], { stdio: ['ignore', 'pipe', 'pipe'] });
  await ended(child);
  return child.pid;
}

test('a lock that nobody holds is reported, and left alone', async (t) => {
  const dead = await deadPid();
  const contents = [JSON.stringify({ thread_name: 'w', uid: 'crashed', pid: dead }), '', '{"pid":', '{"pid":"x"}'];
  contents.push(JSON.stringify({ thread_name: 'w', uid: 'of this process', pid: process.pid }));
  for (const content of contents) {
    const directory = copyOf(t);
    lock(directory, content);
    const store = open(t, directory);
    store.init();
    await store.write({ uid: 'order-42', data: { amount: 100 } });
    assert.deepEqual(store.get_hashmap_state().data, { ...EXPECTED.data, 'order-42': { amount: 100 } });
    assert.deepEqual(names(store.takeover().refused), ['store.lock']);
    store.removeOriginals();
    assert.equal(readFileSync(join(directory, 'store.lock'), 'utf8'), content);
  }
});

test('a lock that a living process holds refuses the take-over; afterwards it goes on', async (t) => {
  const directory = copyOf(t);
  const holder = spawnFixture(t, 'holder.mjs', [join(newDirectory(t))]);
  lock(directory, JSON.stringify({ thread_name: 'w', uid: 'held', pid: holder.pid }));
  const store = open(t, directory);
  throws(() => store.init(), 'ERR_CAIRN_LOCKED', new RegExp(`\\b${holder.pid}\\b`));
  throws(() => store.read('AppInit'), 'ERR_CAIRN_LOCKED');
  assert.equal(await runFixture(t, 'opener.mjs', join(directory, '.cairndb', 'worsen')), 'opened\n', 'nothing is held');
  const end = ended(holder);
  holder.stdin.end();
  await end;
  store.init();
  assert.deepEqual(store.get_hashmap_state(), EXPECTED);
});

test('after the take-over, and without one, a lock does not matter', async (t) => {
  const holder = spawnFixture(t, 'holder.mjs', [join(newDirectory(t))]);
  const content = JSON.stringify({ thread_name: 'w', uid: 'held', pid: holder.pid });
  const directory = copyOf(t);
  const store = open(t, directory);
  store.init();
  await store.close();
  lock(directory, content);
  store.init();
  await store.write({ uid: 'a', data: 1 });

  const empty = newDirectory(t);
  mkdirSync(empty);
  lock(empty, content);
  await open(t, empty).write({ uid: 'a', data: 1 });
});

for (const [name, expected] of Object.entries(STORES)) {
  test(`a take-over of ${name} that is killed at any step leaves everything for the next one`, async (t) => {
    const takeOver = (directory, killAt) => killedAtStep(t, 'worsen-takeover.mjs', [directory, name], killAt);
    const steps = await takeOver(copyOf(t));
    assert.ok(steps >= 6, `${steps}`);
    const before = originals(copyOf(t));
    for (let step = 1; step <= steps; step += 1) {
      const directory = copyOf(t);
      await takeOver(directory, step);
      assert.deepEqual(originals(directory), before);
      const store = open(t, directory, name);
      store.init();
      assert.deepEqual(store.get_hashmap_state(), expected, `killed at step ${step}`);
      assert.deepEqual(names(store.takeover().files), [`${name}.store.db`, `${name}.cache.store.db`]);
      await store.close();
    }
  });
}

test('threads that take over at once do it once, and lose nothing of what each writes then', async (t) => {
  const directory = copyOf(t);
  const url = new URL('./fixtures/worsen-writer.mjs', import.meta.url);
  const codes = [0, 1, 2].map((id) => {
    const worker = new Worker(url, { argv: [directory, `${id}`, '20'], stdout: true });
    onEnd(t, () => worker.terminate());
    return new Promise((resolve, reject) => {
      worker.once('error', reject);
      worker.once('exit', resolve);
    });
  });
  assert.deepEqual(await Promise.all(codes), [0, 0, 0]);
  const { data } = open(t, directory).get_hashmap_state();
  assert.equal(Object.keys(data).length, Object.keys(EXPECTED.data).length + 3 * 20 + 1);
  for (const [uid, value] of Object.entries(EXPECTED.data)) assert.deepEqual(data[uid], value);
});

test('of two that take over at once the second one changes nothing', (t) => {
  const directory = copyOf(t);
  const { readFileSync: read } = fs;
  const restore = () => {
    fs.readFileSync = read;
    syncBuiltinESMExports();
  };
  onEnd(t, restore);
  const faster = open(t, directory);
  // While the store reads the file, another one takes over, and goes on.
  fs.readFileSync = (...args) => {
    restore();
    faster.write({ uid: 'zero', data: 'newer' });
    assert.equal(faster.read('zero'), 'newer');
    return read(...args);
  };
  syncBuiltinESMExports();
  const store = open(t, directory);
  store.init();
  assert.equal(fs.readFileSync, read, 'the file was read');
  assert.deepEqual(store.get_hashmap_state().data, { ...EXPECTED.data, zero: 'newer' });
});

test('the expected contents are those of the files', () => {
  // Read here by nothing but zlib and JSON.
  for (const [name, expected] of Object.entries(STORES)) {
    const bytes = readFileSync(join(fixtures, 'data', `${name}.store.db`));
    assert.deepEqual(JSON.parse(inflateSync(bytes)), expected);
  }
});

test('without the database it begins anew', async (t) => {
  const directory = copyOf(t);
  const store = open(t, directory);
  store.init();
  await store.close();
  rmSync(join(directory, '.cairndb'), { recursive: true });
  store.init();
  assert.deepEqual(store.get_hashmap_state(), EXPECTED);
});
