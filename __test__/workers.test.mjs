import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newDirectory, open, openAt, runFixture, startWorker } from './helpers.mjs';

test('workers and the main thread share a directory, and see what the others write', async (t) => {
  const db = await open(t);
  const workers = [0, 1, 2, 3].map((id) => startWorker(t, 'fill', db.directory, { id }));
  await db.write('main', 'k', 1);
  assert.deepEqual(await Promise.all(workers.map(({ end }) => end)), [0, 0, 0, 0]);
  assert.deepEqual(db.listTables().sort(), ['main', 'worker-0', 'worker-1', 'worker-2', 'worker-3']);
  for (const id of [0, 1, 2, 3]) {
    assert.equal(await db.getTableSize(`worker-${id}`), 500);
    assert.deepEqual(await db.get(`worker-${id}`, 'k499'), { id, index: 499 });
  }
});

test('workers that add to one number by ifVersion lose no addition', async (t) => {
  const db = await open(t);
  const workers = [0, 1, 2].map(() => startWorker(t, 'count', db.directory));
  await Promise.all(workers.map(({ end }) => end));
  assert.equal(await db.get('shared', 'counter'), 300);
  assert.equal((await db.getRecord('shared', 'counter')).version, 300);
});

test('a worker that is terminated in the middle of its writes loses none that was acknowledged', async (t) => {
  const directory = newDirectory(t);
  for (let round = 0; round < 3; round += 1) {
    const acknowledged = new SharedArrayBuffer(4);
    const { worker, end } = startWorker(t, 'writeOn', directory, { acknowledged });
    await new Promise((resolve) => worker.once('message', resolve));
    await worker.terminate();
    await end;
    const count = new Int32Array(acknowledged)[0];
    assert.ok(count > 200);
    const db = await openAt(t, directory);
    for (let index = 0; index < count; index += 1) assert.equal(db.getSync('t', `k${index}`), index);
    await db.deleteTable('t');
    await db.close();
  }
});

test('a worker that was terminated leaves the directory free for other processes', async (t) => {
  const directory = newDirectory(t);
  const { worker, end } = startWorker(t, 'writeOn', directory, { acknowledged: new SharedArrayBuffer(4) });
  await new Promise((resolve) => worker.once('message', resolve));
  await worker.terminate();
  await end;
  assert.equal(await runFixture(t, 'opener.mjs', directory), 'opened\n');
});

test('a worker that is terminated does not disturb the others', async (t) => {
  const db = await open(t);
  const { worker, end } = startWorker(t, 'writeOn', db.directory, { acknowledged: new SharedArrayBuffer(4) });
  await new Promise((resolve) => worker.once('message', resolve));
  const writes = Array.from({ length: 1000 }, (_, index) => db.write('main', `k${index}`, index));
  await worker.terminate();
  await end;
  await Promise.all(writes);
  assert.equal(await db.getTableSize('main'), 1000);
  assert.equal(await db.write('main', 'after', 1, { durability: 'full' }), true);
});

test('a worker that ends without close() has written all, and lets go of the directory', async (t) => {
  const directory = newDirectory(t);
  assert.equal(await startWorker(t, 'leave', directory).end, 0);
  assert.equal(await runFixture(t, 'opener.mjs', directory), 'opened\n');
  const db = await openAt(t, directory);
  assert.deepEqual(await db.get('t'), [
    ['awaited', 1],
    ['gathered', 2],
    ['synced', 3],
  ]);
});

test('process.exit() in a worker writes what was gathered in that turn', async (t) => {
  const directory = newDirectory(t);
  await startWorker(t, 'exit', directory).end;
  const db = await openAt(t, directory);
  assert.equal(await db.get('t', 'gathered'), 1);
});
