import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import timers from 'node:timers';
import { setTimeout } from 'node:timers/promises';
import { CairnDB } from 'cairndb';
import { collect, newDirectory, onEnd, open, openAt, rejects, throws } from './helpers.mjs';

const OPERATIONS = {
  write: (db) => db.write('t', 'k', 1),
  delete: (db) => db.delete('t', 'k'),
  batch: (db) => db.batch([{ type: 'put', table: 't', key: 'k', value: 1 }]),
  'an empty batch': (db) => db.batch([]),
  get: (db) => db.get('t', 'k'),
  'get of a table': (db) => db.get('t'),
  getMany: (db) => db.getMany('t', ['k']),
  getRecord: (db) => db.getRecord('t', 'k'),
  has: (db) => db.has('t', 'k'),
  entries: (db) => collect(db.entries('t')),
  keys: (db) => collect(db.keys('t')),
  values: (db) => collect(db.values('t')),
  getTableSize: (db) => db.getTableSize('t'),
  deleteTable: (db) => db.deleteTable('t'),
  cleanupExpired: (db) => db.cleanupExpired('t'),
  cleanupAllExpired: (db) => db.cleanupAllExpired(),
  flush: (db) => db.flush(),
  compact: (db) => db.compact(),
  verify: (db) => db.verify(),
  stats: (db) => db.stats(),
};

for (const [name, operation] of Object.entries(OPERATIONS)) {
  test(`${name} is rejected before start() and after close()`, async (t) => {
    const db = new CairnDB({ databaseDirectory: newDirectory(t) });
    await rejects(() => operation(db), 'ERR_CAIRN_CLOSED', /start\(\)/);
    await db.start();
    await operation(db);
    await db.close();
    await rejects(() => operation(db), 'ERR_CAIRN_CLOSED', /start\(\)/);
  });
}

test('getSync and listTables throw before start() and after close()', async (t) => {
  const db = new CairnDB({ databaseDirectory: newDirectory(t) });
  const refuses = () => {
    throws(() => db.getSync('t', 'k'), 'ERR_CAIRN_CLOSED', /start\(\)/);
    throws(() => db.listTables(), 'ERR_CAIRN_CLOSED', /start\(\)/);
  };
  refuses();
  await db.start();
  assert.equal(db.getSync('t', 'k'), undefined);
  assert.deepEqual(db.listTables(), []);
  await db.close();
  refuses();
});

test('the constructor touches no disk; start() makes the directory with its parents', async (t) => {
  const directory = join(newDirectory(t), 'deeper', 'still');
  const db = new CairnDB({ databaseDirectory: directory });
  assert.equal(existsSync(directory), false);
  assert.equal(db.directory, directory);
  await db.start();
  onEnd(t, () => db.close());
  assert.equal(existsSync(directory), true);
});

test('start() resolves to undefined, and again when it is open', async (t) => {
  const db = new CairnDB({ databaseDirectory: newDirectory(t) });
  onEnd(t, () => db.close());
  assert.equal(await db.start(), undefined);
  await db.write('t', 'k', 1);
  assert.equal(await db.start(), undefined);
  assert.equal(await db.get('t', 'k'), 1);
});

test('concurrent calls of start() share one opening', async (t) => {
  const db = new CairnDB({ databaseDirectory: newDirectory(t) });
  onEnd(t, () => db.close());
  await Promise.all([db.start(), db.start(), db.start()]);
  await db.write('t', 'k', 1);
  await db.close();
  throws(() => db.getSync('t', 'k'), 'ERR_CAIRN_CLOSED');
});

test('close() resolves to undefined, also twice, at once, and without start()', async (t) => {
  const db = new CairnDB({ databaseDirectory: newDirectory(t) });
  assert.equal(await db.close(), undefined);
  await db.start();
  assert.deepEqual(await Promise.all([db.close(), db.close()]), [undefined, undefined]);
  assert.equal(await db.close(), undefined);
});

test('start() after close() opens again', async (t) => {
  const db = await open(t);
  await db.write('t', 'k', 1);
  await db.close();
  await db.start();
  assert.equal(await db.get('t', 'k'), 1);
});

test('start() and close() in any overlap end as the last call asks', async (t) => {
  const db = new CairnDB({ databaseDirectory: newDirectory(t) });
  onEnd(t, () => db.close());
  await Promise.all([db.start(), db.close(), db.start()]);
  assert.equal(await db.write('t', 'k', 1), true);
  await Promise.all([db.close(), db.start(), db.close()]);
  await rejects(() => db.get('t', 'k'), 'ERR_CAIRN_CLOSED');
  await db.start();
  assert.equal(await db.get('t', 'k'), 1);
});

test('close() refuses at once what comes later, and finishes what came before', async (t) => {
  const db = await open(t);
  const written = Array.from({ length: 100 }, (_, index) => db.write('t', `k${index}`, index));
  const closed = db.close();
  await rejects(() => db.write('t', 'late', 1), 'ERR_CAIRN_CLOSED');
  await closed;
  assert.deepEqual(new Set(await Promise.all(written)), new Set([true]));
  await db.start();
  assert.equal(await db.getTableSize('t'), 100);
});

test('after a failed start() the instance is closed, and start() tries again', async (t) => {
  const directory = newDirectory(t);
  writeFileSync(directory, 'in the way');
  const db = new CairnDB({ databaseDirectory: directory });
  await Promise.all([
    rejects(() => db.start(), 'ERR_CAIRN_DIRECTORY'),
    rejects(() => db.start(), 'ERR_CAIRN_DIRECTORY'),
  ]);
  await rejects(() => db.get('t', 'k'), 'ERR_CAIRN_CLOSED');
  rmSync(directory);
  await db.start();
  onEnd(t, () => db.close());
  assert.equal(await db.write('t', 'k', 1), true);
});

test('close() after a failed start() resolves', async (t) => {
  const directory = newDirectory(t);
  writeFileSync(directory, 'in the way');
  const db = new CairnDB({ databaseDirectory: directory });
  await rejects(() => db.start(), 'ERR_CAIRN_DIRECTORY');
  assert.equal(await db.close(), undefined);
  const starting = rejects(() => db.start(), 'ERR_CAIRN_DIRECTORY');
  assert.equal(await db.close(), undefined);
  await starting;
});

test('[Symbol.asyncDispose] closes', async (t) => {
  const db = await open(t);
  await db[Symbol.asyncDispose]();
  throws(() => db.listTables(), 'ERR_CAIRN_CLOSED');
});

test('CairnDB.open makes an instance and starts it', async (t) => {
  const directory = newDirectory(t);
  const db = await openAt(t, directory, { durability: 'eventual', dictionaries: { d: { deflate: { a: 'b' } } } });
  assert.ok(db instanceof CairnDB);
  assert.equal(db.directory, directory);
  assert.deepEqual(db.listDictionaries(), ['d']);
  assert.equal(await db.write('t', 'k', 1), true);
});

test('instances of one directory see at once what the others write', async (t) => {
  const one = await open(t);
  const two = await openAt(t, one.directory);
  await one.write('t', 'k', 'one');
  assert.equal(await two.get('t', 'k'), 'one');
  await two.write('t', 'k', 'two');
  assert.equal(one.getSync('t', 'k'), 'two');
  assert.equal((await one.getRecord('t', 'k')).version, 2);
  await one.close();
  assert.equal(await two.get('t', 'k'), 'two');
  assert.equal(await two.write('t', 'k', 'three'), true);
});

test('instances of one directory by different paths are the same database', async (t) => {
  const one = await open(t);
  const two = await openAt(t, join(one.directory, '..', 'data', '.'));
  await one.write('t', 'k', 1);
  assert.equal(await two.get('t', 'k'), 1);
});

test('the directory is that of the time when the instance was made', async (t) => {
  const parent = join(newDirectory(t), '..');
  const before = process.cwd();
  onEnd(t, () => process.chdir(before));
  process.chdir(parent);
  const db = new CairnDB({ databaseDirectory: 'relative' });
  process.chdir(before);
  await db.start();
  onEnd(t, () => db.close());
  assert.equal(existsSync(join(parent, 'relative')), true);
});

const skip = existsSync('/proc/self/maps') ? false : 'not on this machine: a list of the files that a process has open';

test('after close() no file of the directory is open, while the instance is still there', { skip }, async (t) => {
  const db = await open(t, { memtableBytes: 65_536 });
  for (let n = 0; n < 20; n++) await db.write('t', `k${n}`, 'x'.repeat(10_000));
  await db.compact();
  await db.write('t', 'later', 1);
  assert.equal((await db.get('t', 'k0')).length, 10_000);
  const openFiles = () => {
    const names = readdirSync('/proc/self/fd').map((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`);
      } catch {
        return ''; // The one that lists the others is closed by now.
      }
    });
    const mapped = readFileSync('/proc/self/maps', 'utf8').split('\n');
    return [...names, ...mapped].filter((line) => line.includes(db.directory));
  };
  assert.ok(openFiles().some((line) => line.includes('.stone')));
  await db.close();
  assert.deepEqual(openFiles(), []);
  await assert.rejects(db.get('t', 'k0'), { code: 'ERR_CAIRN_CLOSED' });
});

const isTurning = () => process.getActiveResourcesInfo().includes('Immediate');

/** What was written in this turn has entered once its microtasks are done; nothing of the event loop runs meanwhile. */
async function entered() {
  for (let n = 0; n < 10; n += 1) await undefined;
}

test('once writes have reached the disk nothing keeps the event loop turning', async (t) => {
  const db = await open(t, { durability: 'full' });
  for (let n = 0; n < 50; n += 1) await db.write('t', `${n % 3}`, n);
  // What was begun while the last one waited ends by itself.
  await setTimeout(20);
  assert.equal(isTurning(), false);
});

test('durable writes are settled though the event loop never gets to look', async (t) => {
  const db = await open(t, { durability: 'full' });
  const { setImmediate } = timers;
  const replace = (immediate) => {
    timers.setImmediate = immediate;
    syncBuiltinESMExports();
  };
  onEnd(t, () => replace(setImmediate));
  let asked = 0;
  t.mock.method(performance, 'now', () => 0);
  replace(() => {
    asked += 1;
  });
  for (let n = 0; n < 5; n += 1) await db.write('t', 'k', n);
  assert.equal(asked, 1);
});

for (const [disk, wait] of [
  ['quick', 0],
  ['slow', 10],
]) {
  test(`a ${disk} disk ${wait === 0 ? 'keeps' : 'does not keep'} the event loop turning while a write waits for it`, async (t) => {
    const db = await open(t, { durability: 'full' });
    let now = 0;
    t.mock.method(performance, 'now', () => now);
    const first = db.write('t', 'a', 1);
    await entered();
    // Another group begins to wait just before the first one is done.
    now += wait;
    await Promise.all([first, db.write('t', 'b', 2)]);
    await setTimeout(20);
    const last = db.write('t', 'c', 3);
    await entered();
    assert.equal(isTurning(), disk === 'quick');
    now += 1;
    await last;
  });
}
