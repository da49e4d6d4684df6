// What PikoDB does to data, and this does not. The numbers are those of docs/from-pikodb.md.

import assert from 'node:assert/strict';
import fs, { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import { CairnDB, CairnError } from 'cairndb';
import { ended, newDirectory, onEnd, spawnFixture } from './helpers.mjs';
import { directoryOf, filesOf, piko, pikoAt, tableFile } from './pikodb-files.mjs';

const binding = createRequire(import.meta.url)('../native.cjs');

/** Makes the commits of databases that are opened from now on fail while `isFull()`. */
function onFullDisk(t, isFull) {
  const { open } = binding;
  onEnd(t, () => {
    binding.open = open;
  });
  binding.open = async (...args) => {
    const handle = await open(...args);
    const { commit } = handle;
    handle.commit = (...request) => {
      if (isFull()) throw Object.assign(new Error('no space is left'), { code: 'ERR_CAIRN_FULL' });
      return commit.apply(handle, request);
    };
    return handle;
  };
}

test('1: concurrent writes that were acknowledged are all there after a kill, the last of each key', async (t) => {
  const directory = newDirectory(t);
  assert.equal((await ended(spawnFixture(t, 'pikodb-writer.mjs', [directory]))).signal, 'SIGKILL');
  const db = pikoAt(t, directory);
  for (let n = 0; n < 100; n += 1) assert.equal(await db.get('t', `k${n}`), n);
  assert.equal(await db.get('t', 'updated'), 4);
  assert.equal(await db.get('t', 'a'), undefined);
  assert.equal(await db.getTableSize('t'), 102);
});

test('2: names are synced: of takeover.json after each change, and of originals after their removal', async (t) => {
  if (process.platform === 'win32') return t.skip('not on this machine: directories that can be synced');
  const directory = directoryOf(t, { users: tableFile({ a: 1 }) });
  const paths = new Map();
  const steps = [];
  const { openSync, fsyncSync, renameSync, unlinkSync } = fs;
  onEnd(t, () => {
    Object.assign(fs, { openSync, fsyncSync, renameSync, unlinkSync });
    syncBuiltinESMExports();
  });
  const short = (path) => String(path).slice(directory.length) || '/';
  fs.openSync = (path, ...rest) => {
    const file = openSync(path, ...rest);
    paths.set(file, short(path));
    return file;
  };
  fs.fsyncSync = (file) => {
    steps.push(`sync ${paths.get(file)}`);
    fsyncSync(file);
  };
  fs.renameSync = (from, to) => {
    steps.push(`rename to ${short(to)}`);
    renameSync(from, to);
  };
  fs.unlinkSync = (path) => {
    steps.push(`remove ${short(path)}`);
    unlinkSync(path);
  };
  syncBuiltinESMExports();
  const db = pikoAt(t, directory);
  await db.start();
  const replaced = ['sync /.cairndb/takeover.json.new', 'rename to /.cairndb/takeover.json', 'sync /.cairndb'];
  assert.deepEqual(steps, [...replaced, ...replaced]);
  steps.length = 0;
  await db.removeOriginals();
  assert.deepEqual(steps, ['remove /users', 'sync /']);
});

test('3: a table file that is damaged stays what it is, through starting, writing and closing', async (t) => {
  const whole = tableFile(Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`k${n}`, n])));
  const damaged = `${whole.slice(0, -1)} `;
  const directory = directoryOf(t, { users: damaged });
  const db = pikoAt(t, directory);
  await db.start();
  await db.write('users', 'new', 1);
  await db.close();
  assert.equal(readFileSync(join(directory, 'users'), 'utf8'), damaged);
  assert.match(db.takeover().refused[0].why, /not JSON/);
});

test('4: files and directories of others stay as they are, and disturb nothing', async (t) => {
  const directory = directoryOf(t, { 'notes.txt': 'mine' });
  mkdirSync(join(directory, 'folder'));
  writeFileSync(join(directory, 'folder', 'file'), 'mine too');
  const db = pikoAt(t, directory);
  await db.start();
  await db.write('t', 'k', 1);
  await db.close();
  assert.equal(readFileSync(join(directory, 'notes.txt'), 'utf8'), 'mine');
  assert.deepEqual(readdirSync(join(directory, 'folder')), ['file']);
  assert.deepEqual(db.listTables(), ['t']);
});

test('5: a process that is killed leaves nothing that becomes a table', async (t) => {
  const directory = newDirectory(t);
  await ended(spawnFixture(t, 'pikodb-writer.mjs', [directory]));
  assert.deepEqual(readdirSync(directory), ['.cairndb']);
  const db = pikoAt(t, directory);
  await db.start();
  assert.deepEqual(db.listTables(), ['t']);
});

test('6: dictionaries that change, are missing or lose keys garble nothing', async (t) => {
  const long = { sensor: 'A', temperature: 1 };
  const collides = { sensor: 'A', s: 'B' };
  const inherited = JSON.parse('{"constructor":"acme","toString":1,"__proto__":{"sensor":1}}');
  const two = { one: 1, two: 2 };
  const db = piko(t, {
    dictionaries: {
      d: { deflate: { sensor: 's', temperature: 't' } },
      many: { deflate: { one: 'x', two: 'x' } },
      odd: { deflate: JSON.parse('{"a":"","":"b","__proto__":"p"}') },
    },
  });
  await db.write('t', 'long', long, 0, 'd');
  await db.write('t', 'collides', collides, 0, 'd');
  await db.write('t', 'inherited', inherited, 0, 'd');
  await db.write('t', 'two', two, 0, 'many');
  await db.write('t', 'odd', { a: 1, '': 2, p: 3 }, 0, 'odd');
  await db.close();
  const changed = { d: { deflate: { temperature: 's', pressure: 't' } } };
  for (const dictionaries of [{}, changed]) {
    const other = pikoAt(t, db.databaseDirectory, { dictionaries });
    assert.deepEqual(await other.get('t', 'long'), long);
    assert.deepEqual(await other.get('t', 'collides'), collides);
    assert.deepEqual(await other.get('t', 'inherited'), inherited);
    assert.deepEqual(await other.get('t', 'two'), two);
    assert.deepEqual(await other.get('t', 'odd'), { a: 1, '': 2, p: 3 });
    await other.close();
  }
});

test('7: a write that failed is not there, and what was there before is', async (t) => {
  let isFull = false;
  onFullDisk(t, () => isFull);
  const db = piko(t);
  await db.write('t', 'k', 'old');
  isFull = true;
  assert.equal(await db.write('t', 'k', 'new'), false);
  assert.ok(db.lastError instanceof CairnError);
  assert.equal(db.lastError.code, 'ERR_CAIRN_FULL');
  assert.equal(await db.delete('t', 'k'), false);
  assert.equal(await db.get('t', 'k'), 'old');
  isFull = false;
  assert.equal(await db.write('t', 'k', 'newer'), true);
  await db.close();
  assert.equal(await db.get('t', 'k'), 'newer');
});

test('8: a table that was deleted stays deleted, whatever was in flight', async (t) => {
  const db = piko(t);
  await db.start();
  const calls = [db.write('t', 'a', 1), db.write('t', 'b', 1), db.deleteTable('t')];
  assert.deepEqual(await Promise.all(calls), [true, true, true]);
  assert.deepEqual(db.listTables(), []);
  await db.close();
  await db.start();
  assert.deepEqual(db.listTables(), []);
});

test('9: what was written or read can be changed without changing what is stored', async (t) => {
  for (const started of [true, false]) {
    const db = piko(t);
    if (started) await db.start();
    const value = { list: [1], at: new Date(1), bytes: Buffer.from('a'), map: new Map([['k', [1]]]) };
    const write = db.write('t', 'k', value);
    value.list.push(2);
    value.at.setTime(2);
    value.bytes[0] = 0;
    value.map.get('k').push(2);
    await write;
    const read = await db.get('t', 'k');
    const stored = { list: [1], at: new Date(1), bytes: Buffer.from('a'), map: new Map([['k', [1]]]) };
    assert.deepEqual(read, stored);
    read.list.push(3);
    (await db.get('t'))[0][1].list.push(4);
    await db.write('t', 'other', 1);
    assert.deepEqual(await db.get('t', 'k'), stored);
  }
});

test('10: what two instances write is all there, and each sees the writes of the other at once', async (t) => {
  const one = piko(t);
  const two = pikoAt(t, one.databaseDirectory);
  await Promise.all(Array.from({ length: 20 }, (_, n) => (n % 2 ? one : two).write('t', `k${n}`, n)));
  assert.equal(await one.getTableSize('t'), 20);
  assert.equal(await two.getTableSize('t'), 20);
  await one.close();
  assert.equal(await two.write('t', 'k0', 'new'), true);
  assert.equal(await one.get('t', 'k0'), 'new');
});

test('11: reading makes no tables', async (t) => {
  const db = piko(t);
  await db.get('nope', 'k');
  await db.get('nope');
  await db.getTableSize('nope');
  await db.delete('nope', 'k');
  await db.cleanupExpired('nope');
  assert.deepEqual(db.listTables(), []);
  await db.close();
  assert.deepEqual(filesOf(db.databaseDirectory), {});
});

test('12: every name that is accepted works, however many bytes it has', async (t) => {
  const db = piko(t);
  for (const table of ['x'.repeat(240), 'x'.repeat(255), '表'.repeat(100), '🗂'.repeat(127)]) {
    assert.equal(await db.write(table, 'k', table), true);
    assert.equal(await db.get(table, 'k'), table);
  }
});

test('13: a value is the same before and after the database is opened again', async (t) => {
  const db = piko(t);
  const value = {
    date: new Date(1),
    numbers: [Number.NaN, Number.POSITIVE_INFINITY, -0],
    map: new Map([[1, new Set(['a'])]]),
    buffer: Buffer.from([1, 2]),
    missing: undefined,
  };
  await db.write('t', 'k', value);
  assert.deepEqual(await db.get('t', 'k'), value);
  await db.close();
  assert.deepEqual(await db.get('t', 'k'), value);
});

test('14: what a write costs does not grow with its table', async (t) => {
  const db = piko(t);
  const own = await CairnDB.open(join(db.databaseDirectory, '.cairndb'));
  onEnd(t, () => own.close());
  await db.start();
  const costOfWrite = async (key) => {
    const { diskWrittenBytes } = await own.stats();
    await db.write('t', key, { name: 'x'.repeat(100) });
    return (await own.stats()).diskWrittenBytes - diskWrittenBytes;
  };
  await db.write('t', 'first', { name: 'x'.repeat(100) });
  const small = await costOfWrite('a');
  for (let n = 0; n < 5000; n += 1) db.write('t', `k${n}`, { name: 'x'.repeat(100) });
  await db.getTableSize('t');
  const large = await costOfWrite('b');
  assert.ok(small > 100 && large < 2 * small, `${small} bytes, and then ${large}`);
});
