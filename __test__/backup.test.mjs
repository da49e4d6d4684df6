import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { test } from 'node:test';
import { CairnDB } from 'cairndb';
import {
  collect,
  ended,
  newDirectory,
  nextLine,
  onEnd,
  open,
  openAt,
  rejects,
  runFixture,
  spawnFixture,
} from './helpers.mjs';

const noPermissions = process.platform === 'win32' ? 'not on this machine: permissions that bind' : false;
const dictionaries = { d: { deflate: { index: 'i' } } };

/** A path beside a database. */
function beside(db, name) {
  return join(dirname(db.directory), name);
}

/** A database with all that a record can have: in files of tables and in memory. */
async function database(t, options) {
  const db = await open(t, { dictionaries, ...options });
  for (let index = 0; index < 50; index += 1) {
    await db.write('stone', `k${index}`, { index, list: [index] }, { dictionary: 'd', expiresAt: 4e12 });
  }
  await db.write('stone', 'soon gone', 1, { ttl: 1 });
  await db.write('emptied', 'k', 1);
  await db.compact();
  await db.delete('emptied', 'k');
  await db.write('stone', 'k1', new Map([[1, 2n]]));
  await db.write('Größe', 'ключ', Buffer.from([0, 255]));
  await db.write('stone', 'k2', [Number.NaN, -0, new Date(0)]);
  return db;
}

/** Whether nothing is in a directory, or there is none. */
function isEmpty(directory) {
  return !existsSync(directory) || readdirSync(directory).length === 0;
}

/** All records of a database, with what it knows about them. */
async function contents(db) {
  const tables = db.listTables().map(async (table) => {
    const keys = await collect(db.keys(table));
    return [table, await Promise.all(keys.map(async (key) => [key, await db.getRecord(table, key)]))];
  });
  return Promise.all(tables);
}

/** The files of a directory, and what is in them. */
function files(directory) {
  return Object.fromEntries(readdirSync(directory).map((name) => [name, readFileSync(join(directory, name), 'hex')]));
}

test('a backup is a database with the same records, versions, times and dictionaries', async (t) => {
  const db = await database(t);
  const [backup, restored] = [beside(db, 'backup'), beside(db, 'restored')];
  const expected = await contents(db);
  const made = await db.backup(backup);
  assert.equal(made.tables, 3);
  assert.ok(made.records >= 51 && made.records <= 52, `${made.records} records`);
  const sizes = Object.values(files(backup)).map((hex) => hex.length / 2);
  assert.ok(made.bytes > 1000 && made.bytes <= sizes.reduce((sum, size) => sum + size), `${made.bytes} bytes`);
  const before = files(backup);
  const report = await CairnDB.restore(backup, restored);
  assert.deepEqual([report.tables, report.records], [made.tables, made.records]);
  assert.deepEqual(files(backup), before, 'the backup is as it was');
  for (const directory of [backup, restored]) {
    const copy = await openAt(t, directory);
    assert.deepEqual(await contents(copy), expected);
    assert.deepEqual((await copy.verify()).damage, []);
    await copy.write('stone', 'k1', 'goes on');
    assert.equal((await copy.getRecord('stone', 'k1')).version, 3);
  }
  assert.deepEqual(await contents(db), expected);
});

test('what was written before the call is in it, awaited or not, and what comes afterwards is not', async (t) => {
  const db = await open(t);
  const writes = Array.from({ length: 500 }, (_, index) => db.write('t', `k${index}`, index));
  const made = db.backup(beside(db, 'backup'));
  await Promise.all(writes);
  const before = await made;
  assert.ok(before.records >= 500);
  await db.write('t', 'late', 1);
  const copy = await openAt(t, beside(db, 'backup'));
  assert.equal(await copy.getTableSize('t'), 500);
});

test('an empty database has a backup too', async (t) => {
  const db = await open(t);
  const { tables, records } = await db.backup(beside(db, 'backup'));
  assert.deepEqual([tables, records], [0, 0]);
  await CairnDB.restore(beside(db, 'backup'), beside(db, 'restored'));
  assert.deepEqual((await openAt(t, beside(db, 'restored'))).listTables(), []);
});

test('nothing is written where something is, or into the database itself', async (t) => {
  const db = await database(t);
  const full = beside(db, 'full');
  mkdirSync(full);
  writeFileSync(join(full, 'notes'), 'mine');
  const link = beside(db, 'link');
  symlinkSync(db.directory, link, 'junction');
  for (const target of [full, db.directory, join(db.directory, 'inside'), link, join(link, 'inside')]) {
    await rejects(() => db.backup(target), 'ERR_CAIRN_DIRECTORY');
  }
  await rejects(() => db.backup(join(full, 'notes')), 'ERR_CAIRN_DIRECTORY');
  assert.deepEqual(readdirSync(full), ['notes']);
  assert.equal(existsSync(join(db.directory, 'inside')), false);
  await db.backup(beside(db, 'backup'));
  await rejects(() => db.backup(beside(db, 'backup')), 'ERR_CAIRN_DIRECTORY', /not empty/);
  await rejects(() => CairnDB.restore(beside(db, 'backup'), full), 'ERR_CAIRN_DIRECTORY', /not empty/);
  await rejects(() => CairnDB.restore(beside(db, 'backup'), beside(db, 'backup/x')), 'ERR_CAIRN_DIRECTORY');
  await rejects(() => CairnDB.restore(beside(db, 'none'), beside(db, 'restored')), 'ERR_CAIRN_DIRECTORY');
  await rejects(() => CairnDB.restore(full, beside(db, 'restored')), 'ERR_CAIRN_DIRECTORY', /no backup/);
  assert.equal(existsSync(beside(db, 'none')), false);
  assert.equal(existsSync(beside(db, 'restored')), false);
});

test('wrong arguments are refused before anything is done', async (t) => {
  const db = await open(t);
  const target = beside(db, 'backup');
  for (const wrong of [undefined, '', 7, 'a\0b']) {
    await rejects(() => db.backup(wrong), 'ERR_CAIRN_INVALID_OPTIONS');
    await rejects(() => CairnDB.restore(wrong, target), 'ERR_CAIRN_INVALID_OPTIONS');
    await rejects(() => CairnDB.restore(target, wrong), 'ERR_CAIRN_INVALID_OPTIONS');
  }
  for (const wrong of [null, 7, { onprogress: () => {} }, { onProgress: 1 }, { signal: 'abort' }]) {
    for (const call of [
      () => db.backup(target, wrong),
      () => db.verify(wrong),
      () => db.compact(wrong),
      () => CairnDB.restore(db.directory, target, wrong),
      () => CairnDB.repair(db.directory, target, wrong),
    ]) {
      await rejects(call, 'ERR_CAIRN_INVALID_OPTIONS');
    }
  }
  for (const wrong of [undefined, 1, {}, { keep: 0 }, { keep: 1.5 }, { keep: '1' }, { keep: 1, kept: 2 }]) {
    await rejects(() => db.prune(wrong), 'ERR_CAIRN_INVALID_OPTIONS');
  }
  assert.equal(existsSync(target), false);
  await db.close();
  await rejects(() => db.backup(target), 'ERR_CAIRN_CLOSED');
  await rejects(() => db.prune({ keep: 1 }), 'ERR_CAIRN_CLOSED');
  assert.equal(existsSync(target), false);
});

test('damage in a backup is told, with the file and what to do, and nothing is restored', async (t) => {
  const db = await database(t);
  const [backup, restored] = [beside(db, 'backup'), beside(db, 'restored')];
  await db.backup(backup);
  for (const name of readdirSync(backup).filter((name) => name !== 'lock')) {
    const path = join(backup, name);
    const sound = readFileSync(path);
    const damaged = Buffer.from(sound);
    damaged[Math.floor(sound.length / 2)] ^= 1;
    writeFileSync(path, damaged);
    await assert.rejects(CairnDB.restore(backup, restored), (error) => {
      assert.equal(error.code, 'ERR_CAIRN_CORRUPT');
      assert.equal(error.path, path);
      assert.match(error.message, /repair/);
      return true;
    });
    assert.ok(isEmpty(restored));
    writeFileSync(path, sound);
  }
  await CairnDB.restore(backup, restored);
});

test('a backup that nothing can be written to is restored', { skip: noPermissions }, async (t) => {
  const db = await database(t);
  const [backup, restored] = [beside(db, 'backup'), beside(db, 'restored')];
  const { records } = await db.backup(backup);
  for (const name of readdirSync(backup)) chmodSync(join(backup, name), 0o444);
  chmodSync(backup, 0o555);
  onEnd(t, () => chmodSync(backup, 0o755));
  // For the target alone.
  chmodSync(dirname(backup), 0o777);
  assert.equal(await runFixture(t, 'restorer.mjs', backup, restored), `${records}\n`);
  assert.deepEqual(await contents(await openAt(t, restored)), await contents(db));
});

test('a backup that somebody has open is not restored, and one that was written to is, as it is then', async (t) => {
  const db = await database(t);
  const [backup, restored] = [beside(db, 'backup'), beside(db, 'restored')];
  await db.backup(backup);
  const copy = await openAt(t, backup);
  await copy.write('later', 'k', 'in the journal of the backup');
  await rejects(() => CairnDB.restore(backup, restored), 'ERR_CAIRN_LOCKED');
  const expected = await contents(copy);
  await copy.close();
  await CairnDB.restore(backup, restored);
  assert.deepEqual(await contents(await openAt(t, restored)), expected);
});

test('closing ends a backup, of which nothing is left', async (t) => {
  const db = await open(t);
  const value = 'x'.repeat(1000);
  await Promise.all(Array.from({ length: 50_000 }, (_, index) => db.write('t', `k${index}`, value)));
  const target = beside(db, 'backup');
  const outcome = db.backup(target).then(
    () => 'done',
    (error) => error.code,
  );
  await db.close();
  assert.equal(await outcome, 'ERR_CAIRN_CLOSED');
  assert.ok(isEmpty(target));
});

test('a backup that is killed is refused by all that could take it for a good one', async (t) => {
  const db = await open(t);
  for (let index = 0; index < 10; index += 1) await db.write(`t${index}`, 'k', index);
  const value = 'x'.repeat(100);
  await Promise.all(Array.from({ length: 60_000 }, (_, index) => db.write('z', `k${index}`, value)));
  await db.close();
  for (const stones of [0, 1, 2, 5, 9, 10, 11]) {
    const target = beside(db, `backup-${stones}`);
    mkdirSync(target);
    const { signal, stderr } = await ended(spawnFixture(t, 'backing-up.mjs', [db.directory, target, `${stones}`]));
    assert.equal(stderr, '');
    assert.equal(signal, 'SIGKILL', `with ${stones} files of tables`);
    const left = files(target);
    assert.ok(readdirSync(target).includes('unfinished'));
    const interrupted = /was interrupted/;
    await rejects(() => CairnDB.open(target), 'ERR_CAIRN_DIRECTORY', interrupted);
    await rejects(() => CairnDB.restore(target, beside(db, 'restored')), 'ERR_CAIRN_DIRECTORY', interrupted);
    await rejects(() => CairnDB.repair(target, beside(db, 'repaired')), 'ERR_CAIRN_DIRECTORY', interrupted);
    const again = await CairnDB.open(db.directory);
    await rejects(() => again.backup(target), 'ERR_CAIRN_DIRECTORY', interrupted);
    assert.deepEqual((await again.verify()).damage, []);
    assert.equal(await again.getTableSize('z'), 60_000);
    await again.close();
    assert.deepEqual(Object.keys(files(target)), Object.keys(left));
  }
});

test('a backup is of one moment while four processes write', async (t) => {
  const db = await openAt(t, newDirectory(t), { access: 'shared' });
  const names = ['a', 'b', 'c', 'd'];
  const writers = names.map((name) => spawnFixture(t, 'pair-writer.mjs', [db.directory, name]));
  const ends = writers.map(ended);
  for (const line of await Promise.all(writers.map(nextLine))) assert.equal(line, 'writing');
  const counts = [];
  for (let round = 0; round < 4; round += 1) {
    const target = beside(db, `backup-${round}`);
    await db.backup(target);
    await CairnDB.restore(target, beside(db, `restored-${round}`));
    const copy = await openAt(t, beside(db, `restored-${round}`));
    const lefts = await copy.get('left');
    assert.deepEqual(
      lefts.map(([name]) => name),
      names,
    );
    assert.deepEqual(await copy.get('right'), lefts);
    const written = lefts.reduce((sum, [, n]) => sum + n + 1, 0);
    assert.equal(await copy.getTableSize('log'), written);
    counts.push(written);
    await copy.close();
  }
  assert.ok(counts.every((count, index) => index === 0 || count >= counts[index - 1]));
  assert.ok(counts.at(-1) > counts[0], 'nobody wrote meanwhile');
  for (const writer of writers) writer.stdin.end();
  for (const { code, stderr } of await Promise.all(ends)) assert.deepEqual([code, stderr], [0, '']);
  assert.deepEqual((await db.verify()).damage, []);
});

test('prune removes what only earlier generations need, at once, and says what', async (t) => {
  const db = await open(t, { reclaimDelay: 3_600_000, keepGenerations: 9 });
  for (let round = 0; round < 4; round += 1) {
    await db.write('t', 'k', `round ${round}`);
    await db.write('t', `only in ${round}`, round);
    await db.compact();
  }
  const manifests = () => readdirSync(db.directory).filter((name) => name.endsWith('.manifest')).length;
  const size = () => Object.values(files(db.directory)).reduce((sum, hex) => sum + hex.length / 2, 0);
  const before = { generations: manifests(), files: readdirSync(db.directory).length, bytes: size() };
  assert.ok(before.generations > 3);
  const gone = await db.prune({ keep: 2 });
  assert.equal(manifests(), 2);
  assert.deepEqual(gone, {
    generations: before.generations - 2,
    files: before.files - readdirSync(db.directory).length,
    bytes: before.bytes - size(),
  });
  assert.deepEqual(await db.prune({ keep: 2 }), { generations: 0, files: 0, bytes: 0 });
  assert.equal((await db.prune({ keep: 1 })).generations, 1);
  assert.equal((await db.stats()).reclaimableBytes, 0);
  assert.equal(await db.get('t', 'k'), 'round 3');
  assert.equal(await db.getTableSize('t'), 5);
});
