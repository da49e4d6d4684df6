import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { CairnDB } from 'cairndb';
import { newDirectory, nextLine, onEnd, open, openAt, rejects, sharer, spawnFixture } from './helpers.mjs';

/** Watches `directory`, and gives the changes without those of the table that shows when the watch has begun. */
async function watching(t, db, directory = db.directory) {
  const controller = new AbortController();
  const changes = CairnDB.watch(directory, { signal: controller.signal });
  onEnd(t, async () => {
    controller.abort();
    await changes.next().catch(() => undefined);
  });
  const first = changes.next();
  let begun = false;
  first.then(() => {
    begun = true;
  }, assert.ifError);
  for (let n = 1; !begun; n += 1) {
    await db.write('begun', 'k', n);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const next = async () => {
    for (;;) {
      const { value } = await changes.next();
      if (value.table !== 'begun') return value;
    }
  };
  const take = async (count) => {
    const taken = [];
    while (taken.length < count) taken.push(await next());
    return taken;
  };
  return { changes, controller, next, take };
}

test('every change is told once, in order, with what was written', async (t) => {
  const db = await open(t);
  db.addDictionary('d', { deflate: { temperature: 't' } });
  const { take } = await watching(t, db);
  const before = Date.now();
  await db.write('t', 'a', { at: new Date(5), list: [1, new Map([[1, 2n]])] });
  await db.write('t', 'a', 'again', { expiresAt: 4102444800000 });
  await db.batch([
    { type: 'put', table: 'u', key: 'bytes', value: Buffer.from([1, 2]) },
    { type: 'put', table: 'u', key: 'short', value: { temperature: 20, nested: { temperature: 1 } }, dictionary: 'd' },
    { type: 'del', table: 't', key: 'a' },
  ]);
  await db.deleteTable('u');
  const told = await take(6);
  for (const { timestamp = before } of told) assert.ok(timestamp >= before && timestamp <= Date.now());
  assert.deepEqual(
    told.map(({ timestamp: _, ...change }) => change),
    [
      {
        type: 'put',
        table: 't',
        key: 'a',
        value: { at: new Date(5), list: [1, new Map([[1, 2n]])] },
        version: 1,
        expiration: null,
      },
      { type: 'put', table: 't', key: 'a', value: 'again', version: 2, expiration: 4102444800000 },
      { type: 'put', table: 'u', key: 'bytes', value: Buffer.from([1, 2]), version: 1, expiration: null },
      {
        type: 'put',
        table: 'u',
        key: 'short',
        value: { temperature: 20, nested: { temperature: 1 } },
        version: 1,
        expiration: null,
      },
      { type: 'delete', table: 't', key: 'a', value: undefined, version: 0, expiration: null },
      { type: 'deleteTable', table: 'u' },
    ],
  );
});

test('values whose shapes and dictionaries were known before, and nothing that was written before', async (t) => {
  const db = await open(t);
  db.addDictionary('d', { deflate: { temperature: 't' } });
  await db.write('t', 'a', { x: 1, y: { z: 2 } });
  await db.write('t', 'b', { temperature: 1 }, { dictionary: 'd' });
  await db.compact();
  const { take } = await watching(t, db);
  await db.write('t', 'a', { x: 3, y: { z: 4 } });
  await db.write('t', 'b', { temperature: 2 }, { dictionary: 'd' });
  const values = (await take(2)).map(({ value, version }) => ({ value, version }));
  assert.deepEqual(values, [
    { value: { x: 3, y: { z: 4 } }, version: 2 },
    { value: { temperature: 2 }, version: 2 },
  ]);
});

test('a flush and a compaction tell nothing, and nothing is lost over them', async (t) => {
  const db = await open(t);
  const { next } = await watching(t, db);
  for (let n = 1; n <= 300; n += 1) {
    await db.write('small', 'n', n);
    await db.write('large', `k${n}`, 'x'.repeat(2000));
    if (n % 50 === 0) await db.compact();
    const told = [await next(), await next()];
    assert.deepEqual(
      told.map(({ table, version }) => [table, version]),
      [
        ['small', n],
        ['large', 1],
      ],
    );
  }
});

test('what another process writes is told, and no file is touched', async (t) => {
  const directory = newDirectory(t);
  const child = spawnFixture(t, 'writer.mjs', [directory, 'os']);
  child.stdout.setEncoding('utf8');
  await nextLine(child);
  child.stdout.resume();
  const changes = CairnDB.watch(directory);
  let expected;
  for await (const { type, table, key, value } of changes) {
    expected ??= value.index;
    assert.deepEqual([type, table, key, value.index], ['put', 't', `k${expected}`, expected]);
    expected += 1;
    if (value.index % 500 === 499) break;
  }
  child.kill('SIGKILL');
  const files = () => readdirSync(directory).map((name) => [name, statSync(join(directory, name)).mtimeMs]);
  await new Promise((resolve) => child.once('exit', resolve));
  const before = files();
  const controller = new AbortController();
  const idle = CairnDB.watch(directory, { signal: controller.signal }).next();
  controller.abort(new Error('enough'));
  await assert.rejects(idle, /enough/);
  assert.deepEqual(files(), before);
});

test('what processes write that share the directory is told', async (t) => {
  const directory = newDirectory(t);
  const db = await openAt(t, directory, { access: 'shared', reclaimDelay: 0 });
  const { ask } = await sharer(t, directory);
  const { take } = await watching(t, db);
  for (let round = 0; round < 3; round += 1) {
    await ask('write', 't', 'theirs', { round });
    await db.write('t', 'ours', [round]);
    assert.deepEqual(
      (await take(2)).map(({ key, value }) => [key, value]),
      [
        ['theirs', { round }],
        ['ours', [round]],
      ],
    );
    await ask('compact');
  }
});

test('a signal ends the watch with its reason, whether somebody waits or not', async (t) => {
  const db = await open(t);
  const { changes, controller } = await watching(t, db);
  const reason = new Error('no more');
  const waiting = (async () => {
    for await (const change of changes) assert.equal(change.table, 'begun');
  })();
  await new Promise((resolve) => setTimeout(resolve));
  controller.abort(reason);
  await assert.rejects(waiting, reason);
  assert.deepEqual(await changes.next(), { value: undefined, done: true });
  await assert.rejects(CairnDB.watch(db.directory, { signal: AbortSignal.abort(reason) }).next(), reason);
});

test('who has fallen behind is told so', async (t) => {
  const db = await open(t, { reclaimDelay: 0 });
  const { next } = await watching(t, db);
  await db.write('t', 'k', 0);
  assert.equal((await next()).value, 0);
  for (let n = 1; n <= 3; n += 1) {
    await db.write('t', 'k', n);
    await db.compact();
  }
  await rejects(async () => {
    // What was read before is told before.
    for (;;) await next();
  }, 'ERR_CAIRN_BEHIND');
});

test('what is no database, and what is no option, is refused', async (t) => {
  const directory = newDirectory(t);
  await rejects(() => CairnDB.watch(directory).next(), 'ERR_CAIRN_DIRECTORY');
  assert.equal(existsSync(directory), false);
  mkdirSync(directory);
  await rejects(() => CairnDB.watch(directory).next(), 'ERR_CAIRN_DIRECTORY');
  assert.deepEqual(readdirSync(directory), []);
  await rejects(() => CairnDB.watch('').next(), 'ERR_CAIRN_INVALID_OPTIONS');
  await rejects(() => CairnDB.watch(directory, { signal: 1 }).next(), 'ERR_CAIRN_INVALID_OPTIONS', /AbortSignal/);
  await rejects(() => CairnDB.watch(directory, { interval: 1 }).next(), 'ERR_CAIRN_INVALID_OPTIONS', /interval/);
});
