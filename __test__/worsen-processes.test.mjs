// Several processes with one store of worsen.

import assert from 'node:assert/strict';
import { cpSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { PersistentStore } from 'cairndb/worsen';
import { ended, newDirectory, nextLine, onEnd, spawnFixture } from './helpers.mjs';

const original = fileURLToPath(new URL('./fixtures/worsen/data', import.meta.url));

function open(t, directory) {
  const store = new PersistentStore('worsen', { db_dir: directory });
  onEnd(t, () => store.close());
  return store;
}

const start = (t, directory, id, count) => spawnFixture(t, 'worsen-writer.mjs', [directory, `${id}`, `${count}`]);

test('processes one after the other lose no update', async (t) => {
  const directory = newDirectory(t);
  for (const id of [0, 1, 2]) {
    const { code, stdout, stderr } = await ended(start(t, directory, id, 20));
    assert.deepEqual([code, stdout, stderr], [0, 'written\n', '']);
  }
  assert.equal(Object.keys(open(t, directory).get_hashmap_state().data).length, 61);
});

test('a process that was killed blocks nobody, and leaves no lock', async (t) => {
  const directory = newDirectory(t);
  const holder = spawnFixture(t, 'worsen-holder.mjs', [directory]);
  assert.equal(await nextLine(holder), 'open');
  const end = ended(holder);
  holder.kill('SIGKILL');
  await end;
  const store = open(t, directory);
  store.init();
  assert.equal(store.read('held'), true);
  await store.write({ uid: 'a', data: 1 });
  assert.deepEqual(readdirSync(directory), ['.cairndb']);
});

test('processes at once lose no update', async (t) => {
  const directory = newDirectory(t);
  const ends = await Promise.all([0, 1, 2, 3].map((id) => ended(start(t, directory, id, 50))));
  for (const { code, stdout, stderr } of ends) assert.deepEqual([code, stdout, stderr], [0, 'written\n', '']);
  const { data } = open(t, directory).get_hashmap_state();
  assert.equal(Object.keys(data).length, 201);
  for (const id of [0, 1, 2, 3]) {
    for (let index = 0; index < 50; index += 1) assert.deepEqual(data[`${id}-${index}`], { id: `${id}`, index });
  }
});

test('processes that take over at once do it once, and lose nothing', async (t) => {
  const directory = newDirectory(t);
  cpSync(original, directory, { recursive: true });
  const ends = await Promise.all([0, 1, 2].map((id) => ended(start(t, directory, id, 20))));
  for (const { code, stdout, stderr } of ends) assert.deepEqual([code, stdout, stderr], [0, 'written\n', '']);
  const { data } = open(t, directory).get_hashmap_state();
  assert.equal(Object.keys(data).length, 58 + 60 + 1);
  assert.equal(data.AppInit, true);
});

test('a process reads at once what another one has written', async (t) => {
  const directory = newDirectory(t);
  const store = open(t, directory);
  store.init();
  const holder = spawnFixture(t, 'worsen-holder.mjs', [directory]);
  assert.equal(await nextLine(holder), 'open');
  assert.equal(store.read('held'), true);
});

test('a process that is killed in the middle of its writes blocks no other, and loses none that was acknowledged', async (t) => {
  const directory = newDirectory(t);
  const store = open(t, directory);
  store.init();
  const writer = start(t, directory, 'killed', 1_000_000);
  const end = ended(writer);
  while (store.read('killed-100') === undefined) await store.write({ uid: 'mine', data: Date.now() });
  writer.kill('SIGKILL');
  await end;
  await store.write({ uid: 'after', data: 1 });
  const { data } = store.get_hashmap_state();
  const count = Object.keys(data).filter((uid) => uid.startsWith('killed-')).length;
  for (let index = 0; index < count; index += 1) assert.deepEqual(data[`killed-${index}`], { id: 'killed', index });
});
