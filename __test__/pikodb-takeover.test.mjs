import assert from 'node:assert/strict';
import fs, {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { CairnDB } from 'cairndb';
import { PikoDB } from 'cairndb/pikodb';
import { newDirectory, onEnd, openRaw, rejects, runFixture } from './helpers.mjs';
import { assertTables, copyOf, directoryOf, filesOf, pikoAt, sources, tableFile } from './pikodb-files.mjs';

const stateAt = (directory) => join(directory, '.cairndb', 'takeover.json');
const readState = (directory) => JSON.parse(readFileSync(stateAt(directory), 'utf8'));
const named = (list) => list.map(({ name }) => name);

for (const { name, folder, options, tables } of sources) {
  test(`${name} is taken over, and its files stay as they are`, async (t) => {
    const directory = copyOf(t, folder);
    const before = filesOf(directory);
    for (const round of ['taken over', 'opened again']) {
      const db = pikoAt(t, directory, round === 'taken over' ? options : {});
      await db.start();
      await assertTables(db, tables);
      const { files, refused } = db.takeover();
      assert.deepEqual(named(files).sort(), Object.keys(tables).sort(), round);
      assert.deepEqual(refused, []);
      for (const file of files) assert.equal(file.records, tables[file.name].records.length, file.name);
      await db.close();
    }
    assert.deepEqual(filesOf(directory), before);
  });
}

test('records that had expired are there until they are cleaned up', async (t) => {
  const db = pikoAt(t, copyOf(t, 'data'), sources[0].options);
  assert.equal(await db.cleanupExpired('sessions'), 1);
});

test('versions count on, and a write over a taken record wins', async (t) => {
  const db = pikoAt(t, copyOf(t, 'data'), sources[0].options);
  assert.equal(await db.write('users', 'user1', 'new'), true);
  const { value, version, timestamp } = await db.getRecord('users', 'user1');
  assert.deepEqual([value, version], ['new', 4]);
  assert.ok(timestamp > 1_795_194_953_079 - 1 && timestamp <= Date.now());
});

test('the first use takes over too, without start()', async (t) => {
  const db = pikoAt(t, directoryOf(t, { users: tableFile({ a: 1 }) }));
  assert.deepEqual(db.listTables(), []);
  assert.equal(db.takeover(), undefined);
  assert.equal(await db.get('users', 'a'), 1);
  assert.deepEqual(named(db.takeover().files), ['users']);
});

test('a write that is made while the take-over is under way comes after it', async (t) => {
  const db = pikoAt(t, directoryOf(t, { users: tableFile({ a: 'old', b: 'old' }) }));
  const writes = [db.write('users', 'a', 'new'), db.delete('users', 'b')];
  assert.deepEqual(await Promise.all(writes), [true, true]);
  assert.deepEqual(await db.get('users'), [['a', 'new']]);
});

const damaged = {
  'cut off': tableFile({ a: 1, b: 2 }).slice(0, -1),
  'a text': 'notes of mine',
  'an object': '{}',
  'a list of something else': '[1]',
  'a record without a version': '[["k",{"d":1,"t":1,"x":null}]]',
  'version 0': '[["k",{"d":1,"v":0,"t":1,"x":null}]]',
  'a record without a value': '[["k",{"v":1,"t":1,"x":null}]]',
  'a record without a time': '[["k",{"d":1,"v":1,"x":null}]]',
  'an expiration that is none': '[["k",{"d":1,"v":1,"t":1,"x":"soon"}]]',
  'a record with more in it': '[["k",{"d":1,"v":1,"t":1,"x":null,"more":1}]]',
  'a key that is a number': '[[1,{"d":1,"v":1,"t":1,"x":null}]]',
  'an empty key': '[["",{"d":1,"v":1,"t":1,"x":null}]]',
  'a list of three': '[["k",{"d":1,"v":1,"t":1,"x":null},1]]',
  'bytes that are not UTF-8': Buffer.from([0x5b, 0x22, 0xff, 0x22, 0x5d]),
  'white space': ' ',
};

for (const [what, content] of Object.entries(damaged)) {
  test(`a file with ${what} is reported and left byte for byte, and the others are taken`, async (t) => {
    const directory = directoryOf(t, { bad: content, good: tableFile({ a: 1 }) });
    const before = filesOf(directory);
    const db = pikoAt(t, directory);
    await db.start();
    assert.deepEqual(db.listTables(), ['good']);
    const { files, refused } = db.takeover();
    assert.deepEqual([named(files), named(refused)], [['good'], ['bad']]);
    assert.match(refused[0].why, /^(It is|Entry 0|A record of it)/);
    assert.deepEqual((await db.removeOriginals()).removed, ['good']);
    await db.close();
    assert.deepEqual(filesOf(directory), { bad: before.bad });
  });
}

test('a file that was refused is taken once it can be read, and never over a table that is there', async (t) => {
  const directory = directoryOf(t, { one: '[', two: '[' });
  const db = pikoAt(t, directory);
  await db.start();
  await db.write('two', 'mine', 1);
  await db.close();
  for (const name of ['one', 'two']) writeFileSync(join(directory, name), tableFile({ a: name }));
  writeFileSync(join(directory, 'later'), tableFile({ a: 1 }));
  await db.start();
  assert.deepEqual(await db.get('one'), [['a', 'one']]);
  assert.deepEqual(await db.get('two'), [['mine', 1]]);
  assert.deepEqual(db.listTables().sort(), ['one', 'two'], 'a file that came later is nobody’s');
  assert.deepEqual(named(db.takeover().files), ['one']);
  assert.deepEqual(named(db.takeover().refused), ['two']);
  assert.match(db.takeover().refused[0].why, /table of this name/);
});

test('a second take-over that was killed drops its own tables alone', async (t) => {
  const directory = directoryOf(t, { one: '[', good: tableFile({ a: 1 }) });
  const db = pikoAt(t, directory);
  await db.write('good', 'b', 2);
  await db.write('one', 'half', 'of a take-over that was killed');
  await db.close();
  writeFileSync(join(directory, 'one'), tableFile({ whole: 1 }));
  const state = readState(directory);
  writeFileSync(stateAt(directory), JSON.stringify({ ...state, state: 'running', tables: ['one'], again: true }));
  await db.start();
  assert.deepEqual(await db.get('one'), [['whole', 1]]);
  assert.deepEqual(await db.get('good'), [
    ['a', 1],
    ['b', 2],
  ]);
  assert.deepEqual(named(db.takeover().files).sort(), ['good', 'one']);
  assert.equal(readState(directory).state, 'done');
});

test('without its dictionary a table is reported and left alone, and taken at the next start with it', async (t) => {
  const directory = copyOf(t, 'data');
  const { tables, options } = sources[0];
  const db = pikoAt(t, directory);
  await db.start();
  assert.deepEqual(
    db.takeover().refused.map(({ name, why }) => [name, /given: (.*?)\. Give them/.exec(why)?.[1]]),
    [
      ['people', '"people"'],
      ['readings', '"sensors", "people"'],
    ],
  );
  assert.equal(db.listTables().includes('readings'), false);
  await db.close();
  const again = pikoAt(t, directory, options);
  await again.start();
  await assertTables(again, tables);
  assert.deepEqual(again.takeover().refused, []);
});

test('a dictionary that does not fit is no reason to garble a record', async (t) => {
  const record = { d: { s: 1, sensor: 2 }, v: 1, t: 1, x: null, n: 'short' };
  const directory = directoryOf(t, { readings: JSON.stringify([['k', record]]) });
  const db = pikoAt(t, directory, { dictionaries: { short: { deflate: { sensor: 's' } } } });
  await db.start();
  assert.deepEqual(db.listTables(), []);
  assert.match(db.takeover().refused[0].why, /does not fit record "k"/);
});

test('the dictionary of older releases leaves tables alone that were not written with it', async (t) => {
  const plain = tableFile({ a: { sensor: 1, s: 2 } });
  const directory = directoryOf(t, {
    plain,
    first: '[["k",{"value":{"s":1},"version":1,"timestamp":1,"expiration":null}]]',
  });
  const db = pikoAt(t, directory, { dictionary: { deflate: { sensor: 's' } } });
  assert.deepEqual(await db.get('plain', 'a'), { sensor: 1, s: 2 });
  assert.deepEqual(await db.get('first', 'k'), { s: 1 });
});

test('what is no table is reported and left alone', async (t) => {
  const directory = directoryOf(t, {
    'users.tmp.1795196430633.go82ji': tableFile({ a: 1 }),
    'users.tmp': '[',
    'back..up': tableFile({ a: 1 }),
    '.hidden': 'mine',
    good: tableFile({ a: 1 }),
  });
  mkdirSync(join(directory, 'folder'));
  const before = filesOf(directory);
  const db = pikoAt(t, directory);
  await db.start();
  assert.deepEqual(db.listTables(), ['good']);
  const reasons = Object.fromEntries(db.takeover().refused.map(({ name, why }) => [name, why]));
  assert.match(reasons['users.tmp.1795196430633.go82ji'], /temporary file/);
  assert.match(reasons['users.tmp'], /temporary file/);
  assert.match(reasons['back..up'], /must not contain "\.\."/);
  assert.match(reasons.folder, /directory/);
  assert.equal(Object.keys(reasons).length, 4);
  assert.deepEqual(filesOf(directory), before);
});

const posix = { skip: process.platform === 'win32' && 'not on this machine: such names, links and modes' };

test('a name that Windows reserves is a table, and a link that leads nowhere is none', posix, async (t) => {
  const directory = directoryOf(t, { 'con.txt': tableFile({ a: 1 }), '\u0001': tableFile({ a: 2 }) });
  symlinkSync('/nowhere', join(directory, 'dangling'));
  const db = pikoAt(t, directory);
  await db.start();
  assert.deepEqual(db.listTables().sort(), ['\u0001', 'con.txt']);
  assert.equal(await db.get('con.txt', 'a'), 1);
  assert.equal(await db.get('\u0001', 'a'), 2);
  assert.match(db.takeover().refused[0].why, /cannot be read: ENOENT/);
});

test('a file that may not be read is reported, and the others are taken', async (t) => {
  if (process.getuid?.() === 0) return t.skip('not on this machine: root may read every file');
  const directory = directoryOf(t, { secret: tableFile({ a: 1 }), good: tableFile({ a: 1 }) });
  chmodSync(join(directory, 'secret'), 0);
  const db = pikoAt(t, directory);
  await db.start();
  assert.deepEqual(db.listTables(), ['good']);
  assert.match(db.takeover().refused[0].why, /EACCES/);
});

test('a directory that cannot be listed is an error, not one without tables', async (t) => {
  const directory = directoryOf(t, { users: tableFile({ a: 1 }) });
  const { readdirSync } = fs;
  onEnd(t, () => {
    fs.readdirSync = readdirSync;
    syncBuiltinESMExports();
  });
  fs.readdirSync = () => {
    throw Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' });
  };
  syncBuiltinESMExports();
  const db = pikoAt(t, directory);
  await rejects(() => db.start(), 'ERR_CAIRN_IO', /EACCES/);
  fs.readdirSync = readdirSync;
  syncBuiltinESMExports();
  assert.equal(await db.get('users', 'a'), 1);
});

test('originals are kept until their removal is asked for, and one that has changed is kept then', async (t) => {
  const directory = directoryOf(t, { a: tableFile({ k: 1 }), b: tableFile({ k: 1 }), c: tableFile({ k: 1 }), d: '[]' });
  const db = pikoAt(t, directory);
  await db.start();
  const sameSize = tableFile({ k: 2 });
  writeFileSync(join(directory, 'b'), sameSize);
  writeFileSync(join(directory, 'd'), '[] ');
  rmSync(join(directory, 'c'));
  writeFileSync(join(directory, 'new'), 'mine');
  const { removed, kept } = await db.removeOriginals();
  assert.deepEqual(removed, ['a', 'c']);
  assert.deepEqual(named(kept), ['b', 'd']);
  for (const { why } of kept) assert.match(why, /has changed/);
  assert.deepEqual(Object.keys(filesOf(directory)).sort(), ['b', 'd', 'new']);
  assert.equal(filesOf(directory).b.toString(), sameSize);
  assert.deepEqual(await db.get('a'), [['k', 1]]);
  assert.deepEqual(named((await db.removeOriginals()).kept), ['b', 'd'], 'as often as one likes');
});

test('a first start without originals settles it: files that come later wipe nothing', async (t) => {
  const directory = newDirectory(t);
  const db = pikoAt(t, directory);
  await db.start();
  assert.deepEqual(db.takeover(), { system: 'pikodb', files: [], refused: [] });
  await db.close();
  writeFileSync(join(directory, 'users'), tableFile({ a: 1 }));
  await db.start();
  assert.deepEqual(db.listTables(), []);
  assert.deepEqual(await db.removeOriginals(), { removed: [], kept: [] });
  assert.deepEqual(Object.keys(filesOf(directory)), ['users']);
});

test('a database that is one of its own is left as it is', async (t) => {
  const directory = directoryOf(t, { users: tableFile({ a: 'file' }) });
  const own = await CairnDB.open(join(directory, '.cairndb'));
  await own.write('users', 'a', 'own');
  await own.close();
  const db = pikoAt(t, directory);
  assert.equal(await db.get('users', 'a'), 'own');
  assert.equal(db.takeover(), undefined);
  assert.deepEqual(await db.removeOriginals(), { removed: [], kept: [] });
});

const states = {
  'cut off': [(text) => text.slice(0, -10), 'ERR_CAIRN_CORRUPT'],
  empty: [() => '', 'ERR_CAIRN_CORRUPT'],
  'of another system': [(text) => text.replace('"pikodb"', '"worsen"'), 'ERR_CAIRN_CORRUPT'],
  'in an unknown state': [(text) => text.replace('"done"', '"doing"'), 'ERR_CAIRN_CORRUPT'],
  'without its files': [(text) => text.replace('"files"', '"fils"'), 'ERR_CAIRN_CORRUPT'],
  'with a file elsewhere': [(text) => text.replace('"users"', '"../users"'), 'ERR_CAIRN_CORRUPT'],
  'of a newer version': [(text) => text.replace('"format": 1', '"format": 2'), 'ERR_CAIRN_FORMAT'],
};

for (const [what, [change, code]] of Object.entries(states)) {
  test(`a takeover.json that is ${what} is an error, and nothing begins again`, async (t) => {
    const directory = directoryOf(t, { users: tableFile({ a: 'old' }) });
    const db = pikoAt(t, directory);
    await db.write('users', 'a', 'new');
    await db.close();
    const text = readFileSync(stateAt(directory), 'utf8');
    const changed = change(text);
    assert.notEqual(changed, text);
    writeFileSync(stateAt(directory), changed);
    await rejects(() => db.start(), code, /takeover\.json/);
    assert.equal(await db.write('users', 'a', 'newer'), false);
    assert.equal(db.lastError.code, code);
    writeFileSync(stateAt(directory), text);
    assert.equal(await db.get('users', 'a'), 'new', 'the directory was released, and opens again');
  });
}

test('a start that fails holds the directory no longer', async (t) => {
  const directory = directoryOf(t, { users: tableFile({ a: 1 }) });
  const db = pikoAt(t, directory);
  await db.start();
  await db.close();
  writeFileSync(stateAt(directory), 'damaged');
  await rejects(() => db.start(), 'ERR_CAIRN_CORRUPT', /takeover\.json/);
  assert.equal(await runFixture(t, 'opener.mjs', join(directory, '.cairndb')), 'opened\n');
});

test('a directory in the place of takeover.json is an error too', async (t) => {
  const directory = directoryOf(t, { users: tableFile({ a: 'old' }) });
  const db = pikoAt(t, directory);
  await db.close();
  await db.start();
  await db.close();
  renameSync(stateAt(directory), `${stateAt(directory)}.aside`);
  mkdirSync(stateAt(directory));
  await rejects(() => db.start(), 'ERR_CAIRN_IO', /takeover\.json/);
});

test('takeover.json is for its owner alone', posix, async (t) => {
  const directory = newDirectory(t);
  await pikoAt(t, directory).start();
  assert.equal(statSync(stateAt(directory)).mode & 0o777, 0o600);
});

test('an opened database waits for its turn before it takes over, and later starts write nothing', async (t) => {
  const directory = directoryOf(t, { users: tableFile({ a: 1 }), bad: '[' });
  const other = await openRaw(t, join(directory, '.cairndb'));
  assert.equal(other.takeTurn(), true);
  assert.equal(other.takeTurn(), true);
  const db = pikoAt(t, directory);
  let isStarted = false;
  const start = db.start().then(() => {
    isStarted = true;
  });
  // Each opening takes a thread its time, so this one comes after that of `db`.
  const later = await openRaw(t, join(directory, '.cairndb'));
  for (let turn = 0; turn < 20; turn += 1) await setTimeout(1);
  assert.equal(later.takeTurn(), false);
  assert.deepEqual([isStarted, existsSync(stateAt(directory))], [false, false]);
  other.endTurn();
  await start;
  assert.deepEqual(named(db.takeover().files), ['users']);
  assert.equal(later.takeTurn(), true, 'a take-over that has ended lets others go on');
  await later.close();
  const { ino } = statSync(stateAt(directory));
  const another = pikoAt(t, directory);
  await another.start();
  assert.equal(statSync(stateAt(directory)).ino, ino);
});

test('workers that start at once take over once, and what they write then stays', async (t) => {
  const values = Object.fromEntries(Array.from({ length: 20_000 }, (_, n) => [`k${n}`, n]));
  const directory = directoryOf(t, { users: tableFile(values) });
  const workers = [0, 1, 2, 3].map((id) => {
    const worker = new Worker(new URL('./fixtures/pikodb-worker.mjs', import.meta.url), {
      workerData: { directory, id },
    });
    return new Promise((resolve, reject) => worker.once('error', reject).once('exit', resolve));
  });
  assert.deepEqual(await Promise.all(workers), [0, 0, 0, 0]);
  const db = pikoAt(t, directory);
  assert.equal(await db.getTableSize('users'), 19_996);
  for (const id of [0, 1, 2, 3]) {
    assert.equal(await db.get('users', `k${id}`), 'new');
    assert.equal(await db.get('users', `k${id + 10}`), undefined);
  }
});

test('instances that start at once take over once, from both entries of the package', async (t) => {
  const { PikoDB: Other } = createRequire(import.meta.url)('cairndb/pikodb');
  assert.notEqual(PikoDB, Other);
  const directory = directoryOf(t, {
    users: tableFile(Object.fromEntries(Array.from({ length: 5000 }, (_, n) => [`k${n}`, n]))),
  });
  const instances = [PikoDB, Other, PikoDB].map((Class) => new Class({ databaseDirectory: directory }));
  for (const db of instances) onEnd(t, () => db.close());
  await Promise.all(
    instances.map(async (db, index) => {
      await db.write('users', `k${index}`, 'new');
      await db.delete('users', `k${index + 10}`);
    }),
  );
  for (const db of instances) {
    assert.equal(await db.getTableSize('users'), 4997);
    for (const index of [0, 1, 2]) assert.equal(await db.get('users', `k${index}`), 'new');
  }
});
