import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { CairnDB } from 'cairndb';
import { newDirectory, open, openAt, rejects } from './helpers.mjs';

const RECORDS = 40_000;

/** A database that takes some tenths of a second to read, half of which has been overwritten; and a backup of it. */
async function database(t) {
  const db = await open(t, { memtableBytes: 1 << 20 });
  const value = 'x'.repeat(200);
  const write = (index) => db.write(`t${index % 3}`, `k${index}`, [value, index]);
  const numbers = Array.from({ length: RECORDS }, (_, index) => index);
  await Promise.all(numbers.map(write));
  await Promise.all(numbers.filter((index) => index % 2 === 0).map(write));
  const backup = join(dirname(db.directory), 'backup');
  await db.backup(backup);
  return { db, backup, target: join(dirname(db.directory), 'target') };
}

/** What takes long: each is given where to write, the database or its closed directory, and its options. */
const WORK = {
  verify: { run: ({ db }, options) => db.verify(options) },
  compact: { run: ({ db }, options) => db.compact(options) },
  backup: { run: ({ db, target }, options) => db.backup(target, options), writes: true },
  restore: { run: ({ backup, target }, options) => CairnDB.restore(backup, target, options), writes: true },
  repair: { run: ({ backup, target }, options) => CairnDB.repair(backup, target, options), writes: true },
};

/** Whether nothing is in a directory, or there is none. */
function isEmpty(directory) {
  return !existsSync(directory) || readdirSync(directory).length === 0;
}

/** That a database and its backup hold all that was written. */
async function isSound({ db, backup }) {
  for (const one of [db, await CairnDB.open(backup)]) {
    const { damage } = await one.verify();
    assert.deepEqual(damage, []);
    const sizes = await Promise.all(['t0', 't1', 't2'].map((table) => one.getTableSize(table)));
    assert.equal(sizes[0] + sizes[1] + sizes[2], RECORDS);
    if (one !== db) await one.close();
  }
  await db.write('sound', 'k', 1);
  await db.deleteTable('sound');
}

for (const [name, { run, writes }] of Object.entries(WORK)) {
  test(`${name} tells how far it has come, and at the end that all is done`, async (t) => {
    const fixture = await database(t);
    const seen = [];
    await run(fixture, { onProgress: (progress) => seen.push(progress) });
    assert.ok(seen.length >= 1);
    let before = 0;
    for (const { done, total } of seen) {
      assert.ok(done >= before && done <= total, JSON.stringify(seen));
      assert.equal(total, seen[0].total);
      before = done;
    }
    assert.deepEqual(seen.at(-1), { done: seen[0].total, total: seen[0].total });
    assert.ok(seen[0].total > 1_000_000, `${seen[0].total} bytes`);
    await isSound(fixture);
  });

  test(`${name} that is aborted rejects with the reason and leaves no half result`, async (t) => {
    const fixture = await database(t);
    let aborted = 0;
    for (const turns of [0, 1, 2, 5, 10, 50, 200, 1000]) {
      const controller = new AbortController();
      const reason = new Error(`enough after ${turns} turns`);
      const work = run(fixture, { signal: controller.signal }).then(
        () => 'done',
        (error) => error,
      );
      for (let turn = 0; turn < turns; turn += 1) await new Promise(setImmediate);
      controller.abort(reason);
      const outcome = await work;
      if (outcome === 'done') break;
      assert.equal(outcome, reason);
      aborted += 1;
      if (writes) assert.ok(isEmpty(fixture.target));
    }
    assert.ok(aborted >= 2, `${name} was aborted ${aborted} times`);
    await isSound(fixture);
    if (writes && isEmpty(fixture.target)) await run(fixture);
    if (writes) assert.deepEqual((await (await openAt(t, fixture.target)).verify()).damage, []);
  });

  test(`${name} with a signal that is aborted already does nothing`, async (t) => {
    const db = await open(t);
    await db.write('t', 'k', 1);
    const target = join(dirname(db.directory), 'target');
    const fixture = { db, backup: db.directory, target };
    const work = run(fixture, { signal: AbortSignal.abort('too late') });
    await assert.rejects(work, (reason) => reason === 'too late');
    assert.equal(existsSync(target), false);
  });

  test(`${name} is stopped by an error of onProgress, and rejects with it`, async (t) => {
    const fixture = await database(t);
    const failure = new Error('of the caller');
    let calls = 0;
    const onProgress = () => {
      calls += 1;
      throw failure;
    };
    await assert.rejects(run(fixture, { onProgress }), (error) => error === failure);
    assert.equal(calls, 1);
    await isSound(fixture);
  });
}

test('other errors come as what they are, with a signal too', async (t) => {
  const db = await open(t);
  const { signal } = new AbortController();
  await rejects(() => db.backup(db.directory, { signal, onProgress: () => {} }), 'ERR_CAIRN_DIRECTORY');
  await rejects(() => CairnDB.restore(newDirectory(t), newDirectory(t), { signal }), 'ERR_CAIRN_DIRECTORY');
});

test('a signal can be used for many calls, and is not held on to', async (t) => {
  const db = await open(t);
  const { signal } = new AbortController();
  let listeners = 0;
  const counted = Object.assign(signal, {
    addEventListener(...parameters) {
      listeners += 1;
      EventTarget.prototype.addEventListener.apply(this, parameters);
    },
    removeEventListener(...parameters) {
      listeners -= 1;
      EventTarget.prototype.removeEventListener.apply(this, parameters);
    },
  });
  for (let round = 0; round < 5; round += 1) await db.verify({ signal: counted });
  await rejects(() => db.backup(db.directory, { signal: counted }), 'ERR_CAIRN_DIRECTORY');
  assert.equal(listeners, 0);
});
