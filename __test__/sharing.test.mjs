import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { CairnDB } from 'cairndb';
import {
  collect,
  ended,
  newDirectory,
  onEnd,
  openAt,
  rejects,
  runFixture,
  sharer,
  spawnFixture,
  throws,
} from './helpers.mjs';
import { race } from './increments/race.mjs';

const SHARED = { access: 'shared', reclaimDelay: 0 };

/** A directory that this process and another one share. */
async function pair(t) {
  const directory = newDirectory(t);
  const db = await openAt(t, directory, SHARED);
  return { directory, db, ...(await sharer(t, directory)) };
}

test('what another process has written is read at once, also by getSync', async (t) => {
  const { db, ask } = await pair(t);
  assert.equal(await ask('write', 't', 'k', { n: 1, at: 'there' }), true);
  assert.deepEqual(db.getSync('t', 'k'), { n: 1, at: 'there' });
  await db.write('t', 'k', { other: [1, 2] });
  assert.deepEqual(await ask('get', 't', 'k'), { other: [1, 2] });
  assert.equal(await ask('delete', 't', 'k'), true);
  assert.equal(db.getSync('t', 'k'), undefined);
  assert.deepEqual(await ask('getTableSize', 't'), 0);
});

test('tables, dictionaries and shapes of another process are known', async (t) => {
  const { db, ask } = await pair(t);
  await ask('addDictionary', 'd', { deflate: { temperature: 't' } });
  await ask('write', 'weather', 'today', { temperature: 20, wind: { speed: 3 } }, 0, 'd');
  assert.deepEqual(db.listTables(), ['weather']);
  assert.deepEqual(await db.get('weather', 'today'), { temperature: 20, wind: { speed: 3 } });
  assert.equal((await db.getRecord('weather', 'today')).dictionaryName, 'd');
  await db.deleteTable('weather');
  assert.deepEqual(await ask('listTables'), []);
});

test('a compare-and-set sees the version that another process has made', async (t) => {
  const { db, ask } = await pair(t);
  await db.write('t', 'k', 1);
  await ask('write', 't', 'k', 2);
  await rejects(() => db.write('t', 'k', 3, { ifVersion: 1 }), 'ERR_CAIRN_CONFLICT');
  assert.equal(await db.write('t', 'k', 3, { ifVersion: 2 }), true);
  assert.deepEqual(await ask('write', 't', 'k', 4, { ifVersion: 2 }), { code: 'ERR_CAIRN_CONFLICT' });
});

test('an iteration goes on over what it began with while another process compacts the files away', async (t) => {
  const { db, ask } = await pair(t);
  const keys = Array.from({ length: 3000 }, (_, n) => `k${1000 + n}`);
  await Promise.all(keys.map((key) => db.write('t', key, 'old')));
  await ask('compact');
  const rows = db.entries('t');
  const first = (await rows.next()).value;
  for (let n = 0; n < keys.length; n += 1) await ask('write', 't', keys[n], 'new');
  await ask('compact');
  const rest = await collect(rows);
  assert.deepEqual(
    [first, ...rest],
    keys.map((key) => [key, 'old']),
  );
  assert.deepEqual(await collect(db.values('t', { limit: 3 })), ['new', 'new', 'new']);
});

test('eight processes increment the same counters while one after the other is killed, and the sum is exact', async (t) => {
  const directory = newDirectory(t);
  const { kills } = await race({ directory, processes: 8, increments: 600, counters: 3, perKill: 40 });
  assert.ok(kills > 100, `${kills} were killed`);
  t.diagnostic?.(`${kills} kills`);
});

test('a process that was stopped does not keep the others from reading and writing', async (t) => {
  if (process.platform === 'win32') return t.skip('Windows has no SIGSTOP');
  const { db, ask, child } = await pair(t);
  await ask('write', 't', 'k', 1);
  child.kill('SIGSTOP');
  onEnd(t, () => child.kill('SIGCONT'));
  assert.equal(db.getSync('t', 'k'), 1);
  await db.write('t', 'k', 2, { durability: 'full' });
  await db.compact();
  child.kill('SIGCONT');
  assert.equal(await ask('get', 't', 'k'), 2);
});

test('who wants the directory for himself is refused while it is shared, and keeps others from sharing it', async (t) => {
  const { directory, db, child } = await pair(t);
  assert.equal(await runFixture(t, 'opener.mjs', directory), 'ERR_CAIRN_LOCKED\n');
  await rejects(() => CairnDB.open(directory), 'ERR_CAIRN_INVALID_OPTIONS', /access "shared" already/);
  await db.close();
  await rejects(() => CairnDB.open(directory), 'ERR_CAIRN_LOCKED');
  child.kill('SIGKILL');
  await ended(child);
  const alone = await openAt(t, directory);
  await rejects(() => CairnDB.open(directory, SHARED), 'ERR_CAIRN_INVALID_OPTIONS', /access "exclusive" already/);
  const late = spawnFixture(t, 'sharer.mjs', [directory]);
  assert.match((await ended(late)).stderr, /ERR_CAIRN_LOCKED/);
  assert.deepEqual(alone.listTables(), []);
});

test('what was shared is opened alone afterwards, with all of it', async (t) => {
  const { directory, db, ask, child } = await pair(t);
  await Promise.all([db.write('t', 'a', 1), ask('write', 't', 'b', 2)]);
  await db.close();
  child.kill('SIGKILL');
  await ended(child);
  const alone = await openAt(t, directory);
  assert.deepEqual(await alone.get('t'), [
    ['a', 1],
    ['b', 2],
  ]);
  assert.deepEqual((await alone.verify()).damage, []);
  const kinds = new Set(readdirSync(directory).map((name) => name.replace(/^\d+\./, '')));
  for (const kind of kinds) assert.match(kind, /^(journal|manifest|stone|lock|shared|turn\.lock|upkeep\.lock)$/);
});

test('access is checked, and leaves no object cache', () => {
  const refused = (options, pattern) =>
    throws(() => new CairnDB({ databaseDirectory: 'd', ...options }), 'ERR_CAIRN_INVALID_OPTIONS', pattern);
  refused({ access: 'both' }, /access is "both"; give one of exclusive, shared, readonly/);
  refused({ access: null }, /access is null/);
  refused({ access: 'shared', objectCache: 10 }, /objectCache/);
  assert.ok(new CairnDB({ databaseDirectory: 'd', access: 'shared', objectCache: 0 }));
});
