import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ended,
  killedAfter,
  newDirectory,
  nextLine,
  open,
  openAt,
  rejects,
  runFixture,
  spawnFixture,
} from './helpers.mjs';

test('a second process is refused, and told the process id of the first', async (t) => {
  const directory = newDirectory(t);
  const holder = spawnFixture(t, 'holder.mjs', [directory]);
  assert.equal(await nextLine(holder), 'open');
  await rejects(() => openAt(t, directory), 'ERR_CAIRN_LOCKED', new RegExp(`\\b${holder.pid}\\b`));
  holder.stdin.end();
  assert.equal((await ended(holder)).code, 0);
  const db = await openAt(t, directory);
  assert.equal(await db.write('t', 'k', 1), true);
});

test('this process keeps others out until its last instance is closed', async (t) => {
  const one = await open(t);
  const two = await openAt(t, one.directory);
  assert.equal(await runFixture(t, 'opener.mjs', one.directory), 'ERR_CAIRN_LOCKED\n');
  await one.close();
  assert.equal(await runFixture(t, 'opener.mjs', one.directory), 'ERR_CAIRN_LOCKED\n');
  await two.close();
  assert.equal(await runFixture(t, 'opener.mjs', one.directory), 'opened\n');
});

test('the lock of a process that was killed is gone', async (t) => {
  const directory = newDirectory(t);
  const holder = spawnFixture(t, 'holder.mjs', [directory]);
  await nextLine(holder);
  const end = ended(holder);
  holder.kill('SIGKILL');
  await end;
  assert.deepEqual((await openAt(t, directory)).listTables(), []);
});

for (const durability of ['os', 'full']) {
  test(`a process killed in the middle of its writes at level ${durability} loses none that was acknowledged`, async (t) => {
    const directory = newDirectory(t);
    for (const least of [1, 50, 500]) {
      const writer = spawnFixture(t, 'writer.mjs', [directory, durability]);
      const acknowledged = (await killedAfter(writer, least)).map(Number);
      const db = await openAt(t, directory);
      for (const index of acknowledged) {
        assert.equal((await db.get('t', `k${index}`))?.index, index, `k${index} was acknowledged`);
      }
      await db.deleteTable('t');
      await db.close();
    }
  });
}

for (const durability of ['eventual', 'os', 'full']) {
  test(`process.exit() in the middle of writes at level ${durability} loses none that was acknowledged`, async (t) => {
    const directory = newDirectory(t);
    const acknowledged = JSON.parse(await runFixture(t, 'exiter.mjs', directory, durability));
    assert.ok(acknowledged.length >= 500);
    const db = await openAt(t, directory);
    for (const index of acknowledged) assert.deepEqual(await db.get('t', `k${index}`), { index });
  });

  test(`a process that ends without close() at level ${durability} ends by itself, and has written all`, async (t) => {
    const directory = newDirectory(t);
    assert.equal(await runFixture(t, 'leaver.mjs', directory, durability), '');
    const db = await openAt(t, directory);
    assert.equal(await db.getTableSize('t'), 1000);
  });
}

test('what was gathered in the turn of process.exit() is written', async (t) => {
  const directory = newDirectory(t);
  await runFixture(t, 'exits-at-once.mjs', directory);
  const db = await openAt(t, directory);
  assert.equal(await db.getTableSize('t'), 100);
});

test('an instance that is garbage collected releases its directory, and what it was given is written', async (t) => {
  const directory = newDirectory(t);
  assert.equal(await runFixture(t, 'forgetter.mjs', directory), 'released\n');
  const db = await openAt(t, directory);
  assert.deepEqual(await db.get('t'), [
    ['awaited', 1],
    ['gathered', 2],
    ['synced', 3],
  ]);
});

test('all instances share one listener of the exit, which goes with the last of them', async (t) => {
  assert.equal(await runFixture(t, 'listeners.mjs', newDirectory(t)), '1 0\n');
});
