import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { CairnDB } from 'cairndb';
import {
  collect,
  newDirectory,
  nextLine,
  onEnd,
  open,
  openAt,
  rejects,
  runFixture,
  sharer,
  spawnFixture,
  throws,
} from './helpers.mjs';

const READONLY = { access: 'readonly' };

/** The names of a directory's files, with all that shows whether somebody has touched one. */
function filesIn(directory) {
  return readdirSync(directory).map((name) => {
    const { size, mtimeMs, ctimeMs, ino } = statSync(join(directory, name));
    return { name, size, mtimeMs, ctimeMs, ino };
  });
}

/** A database with stones, a journal, a dictionary and values of several kinds, closed again. */
async function written(t) {
  const db = await openAt(t, newDirectory(t));
  db.addDictionary('d', { deflate: { temperature: 't' } });
  for (let n = 0; n < 300; n += 1) await db.write('t', `k${1000 + n}`, { n, at: new Date(n) });
  await db.compact();
  await db.write('t', 'k1000', { n: 'later', set: new Set([1]) });
  await db.write('weather', 'today', { temperature: 20 }, { dictionary: 'd' });
  await db.write('bytes', 'b', Buffer.from([1, 2, 3]));
  await db.write('t', 'expired', 1, 1);
  const all = { t: await db.get('t'), weather: await db.get('weather'), bytes: await db.get('bytes') };
  await db.close();
  return { directory: db.directory, all };
}

async function contents(db) {
  const tables = db.listTables().map(async (table) => [table, await collect(db.entries(table))]);
  return Object.fromEntries(await Promise.all(tables));
}

test('a view reads everything, and leaves every file as it was', async (t) => {
  const { directory, all } = await written(t);
  const before = filesIn(directory);
  const db = await openAt(t, directory, READONLY);
  assert.deepEqual({ ...(await contents(db)) }, all);
  assert.deepEqual(await db.getMany('t', ['k1000', 'k1299', 'none']), [
    { n: 'later', set: new Set([1]) },
    { n: 299, at: new Date(299) },
    undefined,
  ]);
  assert.equal((await db.getRecord('weather', 'today')).dictionaryName, 'd');
  assert.equal(await db.has('t', 'expired'), false);
  assert.equal(await db.getTableSize('t'), 300);
  assert.equal((await db.stats()).liveRecords, 303);
  assert.deepEqual((await db.verify()).damage, []);
  await db.flush();
  await db.close();
  assert.deepEqual(filesIn(directory), before);
});

test('every method that writes is refused, and nothing is written', async (t) => {
  const { directory, all } = await written(t);
  const before = filesIn(directory);
  const db = await openAt(t, directory, READONLY);
  db.addDictionary('new', { deflate: { speed: 's' } });
  const calls = {
    write: () => db.write('t', 'k', 1),
    'write of a new shape': () => db.write('t', 'k', { neverSeen: 1, before: 2 }),
    'write with a new dictionary': () => db.write('t', 'k', { speed: 1 }, { dictionary: 'new' }),
    'write at level full': () => db.write('t', 'k', 1, { durability: 'full' }),
    'write at level eventual': () => db.write('t', 'k', 1, { durability: 'eventual' }),
    getAndSet: () => db.getAndSet('t', 'k1000', 1),
    delete: () => db.delete('t', 'k1000'),
    'delete of what is missing': () => db.delete('t', 'none'),
    batch: () => db.batch([{ type: 'put', table: 't', key: 'k', value: { neither: [] } }]),
    deleteTable: () => db.deleteTable('t'),
    'deleteTable of what is missing': () => db.deleteTable('none'),
    cleanupExpired: () => db.cleanupExpired('t'),
    cleanupAllExpired: () => db.cleanupAllExpired(),
    compact: () => db.compact(),
  };
  for (const [name, call] of Object.entries(calls)) {
    await t.test(name, () => rejects(call, 'ERR_CAIRN_READONLY', /open it without/));
  }
  await db.flush();
  assert.deepEqual({ ...(await contents(db)) }, all);
  await db.close();
  assert.deepEqual(filesIn(directory), before);
});

test('a view beside an instance of the same process shows the moment of its start', async (t) => {
  const db = await open(t);
  await db.write('t', 'a', 1);
  const view = await openAt(t, db.directory, READONLY);
  await db.write('t', 'a', 2);
  await db.write('t', 'b', { deep: [true] });
  await db.compact();
  assert.deepEqual(await view.get('t'), [['a', 1]]);
  assert.deepEqual((await view.verify()).damage, []);
  const later = await openAt(t, db.directory, READONLY);
  assert.deepEqual(await later.get('t'), [
    ['a', 2],
    ['b', { deep: [true] }],
  ]);
  await view.close();
  await later.close();
  await db.write('t', 'c', 3);
  await view.start();
  assert.equal(view.getSync('t', 'c'), 3);
  await db.close();
  assert.equal(await view.getTableSize('t'), 3);
});

test('a view keeps the object cache that was asked for', async (t) => {
  const { directory } = await written(t);
  const view = await openAt(t, directory, { access: 'readonly', objectCache: 10 });
  await view.get('weather', 'today');
  assert.equal(view.getSync('weather', 'today'), view.getSync('weather', 'today'));
});

test('beside a process that writes for itself, a view shows all that it has acknowledged, in order', async (t) => {
  const directory = newDirectory(t);
  const child = spawnFixture(t, 'writer.mjs', [directory, 'os']);
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    printed += text;
  });
  await nextLine(child);
  for (let round = 0; round < 20; round += 1) {
    while (printed.split('\n').length < 200 * round) await new Promise((resolve) => child.stdout.once('data', resolve));
    const acknowledged = printed.split('\n').slice(0, -1).map(Number);
    const view = await CairnDB.open(directory, READONLY);
    const indexes = (await collect(view.values('t'))).map(({ index }) => index).sort((a, b) => a - b);
    // A prefix of the commits: no write is there without those before it.
    assert.deepEqual(
      indexes,
      indexes.map((_, place) => place),
    );
    for (const index of acknowledged) assert.ok(index < indexes.length, `${index} of ${indexes.length}`);
    assert.deepEqual((await view.verify()).damage, []);
    await view.close();
  }
});

test('beside processes that share the directory, a view shows what they have committed', async (t) => {
  const directory = newDirectory(t);
  const { ask } = await sharer(t, directory);
  await ask('write', 't', 'a', { of: 'another process' });
  const first = await openAt(t, directory, READONLY);
  await ask('compact');
  await ask('write', 't', 'b', [1]);
  const second = await openAt(t, directory, READONLY);
  assert.deepEqual(await first.get('t'), [['a', { of: 'another process' }]]);
  assert.deepEqual(await second.get('t'), [
    ['a', { of: 'another process' }],
    ['b', [1]],
  ]);
  await second.close();
  assert.equal(await ask('write', 't', 'c', 3), true);
});

if (process.platform !== 'win32') {
  test('a directory that may not be written to can be read', async (t) => {
    const { directory, all } = await written(t);
    chmodSync(dirname(directory), 0o755);
    for (const name of readdirSync(directory)) chmodSync(join(directory, name), 0o444);
    chmodSync(directory, 0o555);
    onEnd(t, () => chmodSync(directory, 0o755));
    const before = filesIn(directory);
    assert.deepEqual(JSON.parse(await runFixture(t, 'viewer.mjs', directory)), JSON.parse(JSON.stringify(all.t)));
    assert.deepEqual(filesIn(directory), before);
  });
}

test('where there is no database nothing is made', async (t) => {
  const directory = newDirectory(t);
  await rejects(() => CairnDB.open(directory, READONLY), 'ERR_CAIRN_DIRECTORY', /does not exist/);
  assert.equal(existsSync(directory), false);
  mkdirSync(directory);
  writeFileSync(join(directory, 'notes.txt'), 'mine');
  await rejects(() => CairnDB.open(directory, READONLY), 'ERR_CAIRN_DIRECTORY', /no database/);
  assert.deepEqual(readdirSync(directory), ['notes.txt']);
  await rejects(() => CairnDB.open(join(directory, 'notes.txt'), READONLY), 'ERR_CAIRN_DIRECTORY', /it is a file/);
});

test('access is checked', () => {
  const made = (options) => new CairnDB({ databaseDirectory: 'd', ...options });
  throws(() => made({ access: 'read-only' }), 'ERR_CAIRN_INVALID_OPTIONS', /give one of .*readonly/);
  assert.ok(made(READONLY));
});
