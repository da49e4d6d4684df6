// Other stores are imported as what they are, and only read.

import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ClassicLevel } from 'classic-level';
import { open as openLmdb } from 'lmdb';
import { newDirectory } from '../helpers.mjs';
import { sources } from '../pikodb-files.mjs';
import { assertSame } from '../same.mjs';
import { fails, fileOf, imports, inDatabase, newFolder, prints, recordsOf } from './helpers.mjs';

const fixtures = fileURLToPath(new URL('../fixtures/', import.meta.url));
const crateFixtures = fileURLToPath(new URL('../../crates/cairndb/tests/fixtures/', import.meta.url));
const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));

/** A copy of a fixture, in a folder that is removed after the test. */
function copyOf(t, path) {
  const copy = join(newFolder(t), basename(path));
  cpSync(path, copy, { recursive: true });
  return copy;
}

/** Every file of a directory, with its content and the time of its last change; but for the list of readers of LMDB. */
function filesOf(directory) {
  const names = readdirSync(directory)
    .filter((name) => name !== 'lock.mdb')
    .sort();
  return names.map((name) => [
    name,
    statSync(join(directory, name)).mtimeMs,
    readFileSync(join(directory, name), 'latin1'),
  ]);
}

/** Imports a source, which stays as it is, twice; the report and the records. */
async function imported(t, source, ...args) {
  const target = newDirectory(t);
  const before = filesOf(source);
  const report = await imports(t, target, [source, ...args]);
  const records = await recordsOf(target);
  assert.deepEqual(await imports(t, target, [source, ...args]), report);
  assert.deepEqual(filesOf(source), before);
  return { report, records };
}

const valuesOf = (records) => new Map([...records].map(([key, { value }]) => [key, value]));

for (const { name, folder, options, tables } of sources) {
  if (options.dictionary) continue;
  test(`PikoDB's ${name} is imported with versions, times and dictionaries`, async (t) => {
    const source = copyOf(t, join(fixtures, 'pikodb', folder));
    const given = ['--dictionaries', fileOf(t, 'dictionaries.json', JSON.stringify(options.dictionaries ?? {}))];
    const { report, records } = await imported(t, source, ...given);
    assert.equal(report.from, 'pikodb');
    assert.deepEqual(Object.keys(records), Object.keys(tables).sort());
    for (const [table, { records: expected }] of Object.entries(tables)) {
      assert.equal(report.tables[table], expected.length);
      for (const { key, ...record } of expected) {
        // What has expired by now is there, and missing.
        if (record.expiration !== null && record.expiration < Date.now()) continue;
        assert.deepEqual(records[table].get(key), record, `${table}/${key}`);
      }
    }
  });
}

test('a table of PikoDB can be chosen, and one that is damaged is an error', async (t) => {
  const source = copyOf(t, join(fixtures, 'pikodb/data'));
  const { report } = await imported(t, source, '--table', 'users');
  assert.deepEqual(Object.keys(report.tables), ['users']);
  await fails(t, [newDirectory(t), 'import', source], 3, /need dictionaries: .*--dictionaries/);
  writeFileSync(join(source, 'users'), '[["a",');
  await fails(
    t,
    [newDirectory(t), 'import', source, '--from', 'pikodb', '--table', 'users'],
    3,
    /users: It is not JSON/,
  );
});

test('the stores of worsen are tables', async (t) => {
  const source = copyOf(t, join(fixtures, 'worsen/data'));
  const { data } = readJson(join(fixtures, 'worsen/expected.json'));
  const { report, records } = await imported(t, source);
  assert.equal(report.from, 'worsen');
  assert.deepEqual(Object.keys(records), ['second', 'worsen']);
  for (const name of ['second', 'worsen']) {
    assert.deepEqual(Object.fromEntries(valuesOf(records[name])), data[name].data);
  }
  const one = await imports(t, newDirectory(t), [join(source, 'second.store.db'), '--table', 'other']);
  assert.deepEqual(Object.keys(one.tables), ['other']);
});

for (const name of ['basic', 'compacted', 'damaged', 'resurrected', 'torn']) {
  test(`Persistency's ${name} is imported with what it reads from it`, async (t) => {
    const source = copyOf(t, join(fixtures, 'persistency', name));
    const expected = readJson(join(fixtures, 'persistency', `${name}.expected.json`)).entriesAsReadByOriginal;
    const short = expected.every(({ keyHex }) => keyHex.length <= 2048 && keyHex !== '');
    if (!short)
      return fails(t, [newDirectory(t), 'import', source, '--table', 't'], 3, /Key .* (has \d+ bytes|is empty)/);
    const { report, records } = await imported(t, source, '--table', 't');
    assert.equal(report.from, 'persistency');
    const pairs = expected.map(({ keyHex, valueBase64 }) => [
      Buffer.from(keyHex, 'hex').toString(),
      Buffer.from(valueBase64, 'base64'),
    ]);
    assert.deepEqual(
      valuesOf(records.t ?? []),
      new Map(pairs.sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))),
    );
    assert.equal(report.notices.length > 0, name === 'damaged' || name === 'torn', report.notices.join());
  });
}

test('a store of persistent-kv with integers is imported, its keys as numbers', async (t) => {
  const source = copyOf(t, join(crateFixtures, 'persistent-kv/u64'));
  const { entries } = readJson(join(crateFixtures, 'persistent-kv/u64.expected.json'));
  const { report, records } = await imported(t, source, '--table', 't', '--keys', 'u64');
  assert.equal(report.from, 'persistent-kv');
  const sorted = entries
    .map(({ key, valueHex }) => [key, Buffer.from(valueHex, 'hex')])
    .sort(([a], [b]) => (a < b ? -1 : 1));
  assert.deepEqual(valuesOf(records.t), new Map(sorted));
  await fails(
    t,
    [newDirectory(t), 'import', source, '--table', 't'],
    3,
    /is not text in UTF-8; import with --keys hex/,
  );
});

test('a store of persistent-kv with text is imported, its keys as hexadecimal digits', async (t) => {
  const source = copyOf(t, join(crateFixtures, 'persistent-kv/string'));
  const { entries } = readJson(join(crateFixtures, 'persistent-kv/string.expected.json'));
  // There is a key that no text of a database can be.
  await fails(t, [newDirectory(t), 'import', source, '--table', 't'], 3, /--keys hex/);
  const usable = entries.filter(({ keyHex }) => keyHex !== '');
  if (usable.length < entries.length) {
    return fails(t, [newDirectory(t), 'import', source, '--table', 't', '--keys', 'hex'], 3, /Key "" is empty/);
  }
  const { records } = await imported(t, source, '--table', 't', '--keys', 'hex');
  assert.deepEqual([...records.t.keys()], entries.map(({ keyHex }) => keyHex).sort());
  for (const { keyHex, value } of entries) {
    if (value !== undefined) assert.equal(records.t.get(keyHex).value.toString(), value);
  }
});

test('what is damaged in a store of persistent-kv is an error, and nothing is written', async (t) => {
  const source = newFolder(t);
  writeFileSync(
    join(source, 'snapshot_1_0-of-1_full.bin'),
    Buffer.from([6, 0x0a, 1, 0x6b, 0x12, 1, 0x76, 2, 0xff, 0xff]),
  );
  const target = newDirectory(t);
  await fails(
    t,
    [target, 'import', source, '--table', 't'],
    3,
    /is not a key and a value; restore the file from a backup/,
  );
  assert.throws(() => statSync(target), /ENOENT/);
  writeFileSync(join(source, 'snapshot_1_0-of-1_full.bin'), Buffer.from([6, 0x0a, 1, 0x6b, 0x12, 1, 0x76]));
  const { records } = await imported(t, source, '--table', 't');
  assert.deepEqual(valuesOf(records.t), new Map([['k', Buffer.from('v')]]));
});

test('LevelDB is imported as text, as JSON and as bytes', async (t) => {
  const source = join(newFolder(t), 'level');
  const level = new ClassicLevel(source, { valueEncoding: 'json' });
  const expected = Array.from({ length: 1500 }, (_, index) => [
    `key-${String(index).padStart(4, '0')}`,
    { index, name: 'ä' },
  ]);
  await level.batch(expected.map(([key, value]) => ({ type: 'put', key, value })));
  await level.close();
  const as = async (...args) => {
    const target = newDirectory(t);
    const report = await imports(t, target, [source, '--table', 't', ...args]);
    assert.deepEqual(report, { from: 'level', records: 1500, tables: { t: 1500 }, notices: [] });
    return inDatabase(target, (db) => db.get('t'));
  };
  assert.deepEqual(await as('--encoding', 'json'), expected);
  assert.deepEqual(
    await as(),
    expected.map(([key, value]) => [key, JSON.stringify(value)]),
  );
  assert.deepEqual((await as('--encoding', 'buffer'))[0][1], Buffer.from('{"index":0,"name":"ä"}'));
  const binary = join(newFolder(t), 'binary');
  const other = new ClassicLevel(binary, { keyEncoding: 'buffer', valueEncoding: 'buffer' });
  await other.put(Buffer.from([0xff]), Buffer.from([0xfe]));
  await fails(t, [newDirectory(t), 'import', binary, '--table', 't'], 3, /cannot be opened as LevelDB/);
  await other.close();
  await fails(t, [newDirectory(t), 'import', binary, '--table', 't'], 3, /the key ff is not text in UTF-8/);
  await fails(
    t,
    [newDirectory(t), 'import', binary, '--table', 't', '--keys', 'hex'],
    3,
    /"ff" is not UTF-8; .*buffer/,
  );
  const target = newDirectory(t);
  await imports(t, target, [binary, '--table', 't', '--keys', 'hex', '--encoding', 'buffer']);
  assert.deepEqual(await inDatabase(target, (db) => db.get('t')), [['ff', Buffer.from([0xfe])]]);
});

test('LMDB is imported as its package decodes it', async (t) => {
  const source = join(newFolder(t), 'lmdb');
  const values = {
    a: { n: 1, list: [1, 'x'] },
    b: new Date(0),
    c: new Map([[1, [2]]]),
    d: Buffer.from('x'),
    e: 'text',
  };
  const root = openLmdb({ path: source });
  for (const [key, value] of Object.entries(values)) await root.put(key, value);
  await root.put(7, 'number');
  await root.put('forty-eight', 'x'.repeat(46));
  await root.close();
  const { report, records } = await imported(t, source, '--table', 't');
  assert.deepEqual(report, { from: 'lmdb', records: 7, tables: { t: 7 }, notices: [] });
  assertSame(Object.fromEntries(valuesOf(records.t)), { 7: 'number', ...values, 'forty-eight': 'x'.repeat(46) });
});

test('a database inside of LMDB is named, and keys that would become one are refused', async (t) => {
  const source = join(newFolder(t), 'lmdb');
  const root = openLmdb({ path: source, maxDbs: 3 });
  const inner = root.openDB({ name: 'inner' });
  for (let index = 0; index < 600; index += 1) await inner.put(`k${index}`, { index });
  const clash = root.openDB({ name: 'clash' });
  await clash.put(1, 'number');
  await clash.put('1', 'text');
  await root.close();
  const { records } = await imported(t, source, '--table', 't', '--database', 'inner');
  assert.equal(records.t.size, 600);
  assert.deepEqual(records.t.get('k599').value, { index: 599 });
  await fails(
    t,
    [newDirectory(t), 'import', source, '--table', 't', '--database', 'clash'],
    3,
    /would be the same key/,
  );
  await fails(t, [newDirectory(t), 'import', source, '--table', 't', '--database', 'none'], 3, /no database "none"/);
  await fails(t, [newDirectory(t), 'import', source, '--table', 't'], 3, /give one with --database/);
});

/** What writes SQLite files here, as a function from SQL to a file; undefined if nothing does. */
function sqliteWriter() {
  const require = createRequire(import.meta.url);
  try {
    const Database = require('better-sqlite3');
    return (path, sql) => new Database(path).exec(sql).close();
  } catch {
    try {
      const { DatabaseSync } = process.getBuiltinModule?.('node:sqlite') ?? require('node:sqlite');
      return (path, sql) => {
        const db = new DatabaseSync(path);
        db.exec(sql);
        db.close();
      };
    } catch {
      return undefined;
    }
  }
}

const writeSqlite = sqliteWriter();
const skip = writeSqlite === undefined && 'not on this machine: better-sqlite3, or a Node.js with node:sqlite';

test('the tables of SQLite are imported, rows as objects under their primary keys', { skip }, async (t) => {
  const folder = newFolder(t);
  const source = join(folder, 'a.sqlite');
  writeSqlite(
    source,
    `CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, big INTEGER, ratio REAL, data BLOB);
     INSERT INTO users VALUES (1, 'Alice', 9007199254740993, 1.5, x'01ff'), (20, NULL, 7, 2.0, NULL);
     CREATE TABLE pairs (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
     INSERT INTO pairs VALUES ('a', 1), ('b', 'x');
     CREATE TABLE "odd ""name" (a TEXT, b INTEGER, c, PRIMARY KEY (b, a));
     INSERT INTO "odd ""name" VALUES ('x', 1, 'c');
     CREATE TABLE loose (rowid TEXT, v);
     INSERT INTO loose VALUES ('mine', 1);
     CREATE TABLE empty (id INTEGER PRIMARY KEY);`,
  );
  const target = newDirectory(t);
  const before = readFileSync(source);
  const report = await imports(t, target, [source]);
  assert.deepEqual(report.tables, { empty: 0, loose: 1, 'odd "name': 1, pairs: 2, users: 2 });
  assert.deepEqual(readFileSync(source), before);
  await inDatabase(target, async (db) => {
    assert.deepEqual(await db.get('users'), [
      ['1', { id: 1, name: 'Alice', big: 9007199254740993n, ratio: 1.5, data: Buffer.from([1, 255]) }],
      ['20', { id: 20, name: null, big: 7, ratio: 2, data: null }],
    ]);
    assert.deepEqual(await db.get('pairs'), [
      ['a', 1],
      ['b', 'x'],
    ]);
    assert.deepEqual(await db.get('odd "name'), [['["1","x"]', { a: 'x', b: 1, c: 'c' }]]);
    assert.deepEqual(await db.get('loose'), [['1', { rowid: 'mine', v: 1 }]]);
    assert.deepEqual(db.listTables(), ['empty', 'loose', 'odd "name', 'pairs', 'users']);
  });
  const one = await imports(t, newDirectory(t), [source, '--table', 'pairs']);
  assert.deepEqual(one.tables, { pairs: 2 });
  await fails(t, [newDirectory(t), 'import', source, '--table', 'none'], 3, /has no table "none"; it has "empty"/);
});

test('a package that is not installed is named, with what to do', async (t) => {
  if (writeSqlite !== undefined) return;
  const source = fileOf(t, 'x.db', 'SQLite format 3\0');
  await fails(t, [newDirectory(t), 'import', source], 3, /which is not installed; npm install better-sqlite3/);
});

test('what a source is, is told from it, or asked for', async (t) => {
  const unknown = fileOf(t, 'x.dat', 'something');
  await fails(
    t,
    [newDirectory(t), 'import', unknown],
    2,
    /cannot be told from its name and content; say it with --from/,
  );
  await fails(t, [newDirectory(t), 'import', unknown, '--from', 'cvs'], 2, /--from is cvs; give one of pikodb/);
  const json = fileOf(t, 'x.dat', '{"table":"t","key":"k","value":1}');
  assert.equal((await imports(t, newDirectory(t), [json])).from, 'jsonl');
  const own = newDirectory(t);
  await imports(t, own, [json]);
  await fails(t, [newDirectory(t), 'import', own], 2, /is a database of CairnDB/);
  const folder = newFolder(t);
  mkdirSync(join(folder, 'sub'));
  await fails(t, [newDirectory(t), 'import', folder], 2, /cannot be told/);
  await fails(t, [newDirectory(t), 'import', '--from', 'lmdb', '--table', 't'], 2, /not read from standard input/);
  assert.match(await prints(t, [own, 'import', json]), /^Imported 1 record from jsonl\.\n$/);
});
