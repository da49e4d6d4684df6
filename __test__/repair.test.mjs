import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { CairnDB } from 'cairndb';
import { newDirectory, open, openAt, rejects } from './helpers.mjs';

const dictionaries = { d: { deflate: { index: 'i' } } };

/** A closed database with records in a stone and in the journal; its directory, and one for the repaired one. */
async function database(t) {
  const db = await open(t, { dictionaries });
  for (let index = 0; index < 50; index += 1) {
    await db.write('stone', `k${index}`, { index, text: `text of ${index}` }, { dictionary: 'd', expiresAt: 4e12 });
  }
  await db.compact();
  for (let index = 0; index < 20; index += 1) await db.write('journal', `k${index}`, `value ${index}`);
  await db.write('stone', 'k1', new Map([[1, 2n]]));
  await db.close();
  return { source: db.directory, target: join(dirname(db.directory), 'repaired') };
}

/** The content of a directory, the lock aside. */
function contents(directory) {
  const names = readdirSync(directory).filter((name) => name !== 'lock');
  return Object.fromEntries(names.sort().map((name) => [name, readFileSync(join(directory, name), 'hex')]));
}

/** Changes the byte at the first place of `text` in the files of this kind. */
function damage(directory, kind, text) {
  const found = readdirSync(directory)
    .filter((name) => name.endsWith(kind))
    .map((name) => join(directory, name))
    .filter((path) => readFileSync(path).includes(text));
  assert.equal(found.length, 1);
  const bytes = readFileSync(found[0]);
  bytes[bytes.indexOf(text)] ^= 1;
  writeFileSync(found[0], bytes);
  return found[0];
}

test('a sound database is copied with its versions, times and dictionaries', async (t) => {
  const { source, target } = await database(t);
  const before = contents(source);
  const report = await CairnDB.repair(source, target);
  assert.deepEqual({ ...report, generation: null }, { generation: null, tables: 2, records: 70, damage: [] });
  assert.ok(report.generation >= 1);
  assert.deepEqual(contents(source), before, 'the source is as it was');
  const [old, repaired] = [await openAt(t, source), await openAt(t, target)];
  for (const table of ['stone', 'journal']) {
    assert.deepEqual(await repaired.get(table), await old.get(table));
    for (const key of ['k0', 'k1', 'k7']) {
      assert.deepEqual(await repaired.getRecord(table, key), await old.getRecord(table, key));
    }
  }
  assert.deepEqual((await repaired.verify()).damage, []);
  await repaired.write('journal', 'k0', 'goes on');
  assert.equal((await repaired.getRecord('journal', 'k0')).version, 2);
});

test('a damaged record is dropped and named, all others are kept', async (t) => {
  const { source, target } = await database(t);
  const path = damage(source, '.stone', 'text of 33');
  const report = await CairnDB.repair(source, target);
  assert.equal(report.records, 69);
  assert.equal(report.damage.length, 1);
  const [lost] = report.damage;
  assert.deepEqual(
    { ...lost, offset: 0, bytes: 0, what: '' },
    {
      path,
      offset: 0,
      bytes: 0,
      what: '',
      table: 'stone',
      keys: ['k33'],
      between: { after: 'k32', before: 'k34' },
    },
  );
  assert.ok(lost.offset > 0 && lost.bytes > 10 && lost.what !== '');
  const db = await openAt(t, target);
  assert.equal(await db.get('stone', 'k33'), undefined);
  assert.deepEqual(await db.get('stone', 'k34'), { index: 34, text: 'text of 34' });
  assert.equal(await db.getTableSize('stone'), 49);
});

test('a database that does not open is repaired: one commit is lost, and those behind it are not', async (t) => {
  const { source, target } = await database(t);
  const path = damage(source, '.journal', 'value 7');
  const damaged = new CairnDB({ databaseDirectory: source });
  await assert.rejects(damaged.start(), (error) => error.code === 'ERR_CAIRN_CORRUPT' && /repair/.test(error.message));
  const { records, damage: lost } = await CairnDB.repair(source, target);
  assert.equal(records, 69);
  assert.deepEqual(
    lost.map(({ path, table, keys }) => ({ path, table, keys })),
    [{ path, table: 'journal', keys: ['k7'] }],
  );
  const db = await openAt(t, target);
  assert.equal(await db.get('journal', 'k7'), undefined);
  assert.equal(await db.get('journal', 'k19'), 'value 19');
  assert.deepEqual(await db.get('stone', 'k1'), new Map([[1, 2n]]));
});

test('verify names the range in which keys are lost', async (t) => {
  const { source } = await database(t);
  damage(source, '.stone', 'text of 33');
  const db = await openAt(t, source);
  const { damage: found } = await db.verify();
  const record = found.find(({ between }) => between !== null);
  assert.deepEqual(record.between, { after: 'k32', before: 'k34' });
  assert.deepEqual(record.keys, ['k33']);
  assert.equal(record.table, 'stone');
});

test('what cannot be repaired is refused, and nothing is written', async (t) => {
  const { source, target } = await database(t);
  await rejects(() => CairnDB.repair(join(source, 'nothing'), target), 'ERR_CAIRN_DIRECTORY');
  assert.equal(existsSync(join(source, 'nothing')), false);
  mkdirSync(target);
  await rejects(() => CairnDB.repair(target, newDirectory(t)), 'ERR_CAIRN_DIRECTORY', /no database/);
  await rejects(() => CairnDB.repair(source, source), 'ERR_CAIRN_DIRECTORY');
  await rejects(() => CairnDB.repair(source, join(source, 'inside')), 'ERR_CAIRN_DIRECTORY');
  writeFileSync(join(target, 'notes'), 'mine');
  await rejects(() => CairnDB.repair(source, target), 'ERR_CAIRN_DIRECTORY', /not empty/);
  assert.deepEqual(readdirSync(target), ['notes']);
});

test('a database that is in use is not repaired', async (t) => {
  const db = await open(t);
  await db.write('t', 'k', 1);
  await rejects(() => CairnDB.repair(db.directory, newDirectory(t)), 'ERR_CAIRN_LOCKED');
  assert.equal(await db.get('t', 'k'), 1);
});

test('arguments that are no paths are refused', async (t) => {
  for (const bad of [undefined, null, 1, '', 'a\0b', '\ud800', {}]) {
    await rejects(() => CairnDB.repair(bad, newDirectory(t)), 'ERR_CAIRN_INVALID_OPTIONS', /source/);
    await rejects(() => CairnDB.repair(newDirectory(t), bad), 'ERR_CAIRN_INVALID_OPTIONS', /target/);
  }
});

if (process.platform !== 'win32') {
  test('a link in the place of a file is damage, and is not followed', async (t) => {
    const { source, target } = await database(t);
    const stone = readdirSync(source).find((name) => name.endsWith('.stone'));
    const aside = newDirectory(t);
    writeFileSync(aside, readFileSync(join(source, stone)));
    unlinkSync(join(source, stone));
    symlinkSync(aside, join(source, stone));
    await rejects(() => CairnDB.open(source), 'ERR_CAIRN_IO');
    const { damage: lost } = await CairnDB.repair(source, target);
    assert.equal(lost.length, 1);
    assert.equal(lost[0].path, join(source, stone));
    assert.deepEqual(lost[0].between, { after: null, before: null });
  });

  test('only the owner may look into what was repaired', async (t) => {
    const { source, target } = await database(t);
    await CairnDB.repair(source, target);
    assert.equal(statSync(target).mode & 0o777, 0o700);
    for (const name of readdirSync(target)) assert.equal(statSync(join(target, name)).mode & 0o777, 0o600, name);
  });
}

test('the shapes of values are in the journal too, when the manifest is lost', async (t) => {
  const db = await open(t);
  const values = Array.from({ length: 30 }, (_, index) => ({ index, at: { x: index }, tags: ['a'] }));
  for (const [index, value] of values.entries()) await db.write('t', `k${index}`, value);
  await db.compact();
  await db.close();
  const manifests = readdirSync(db.directory).filter((name) => name.endsWith('.manifest'));
  for (const name of manifests) unlinkSync(join(db.directory, name));
  const target = join(dirname(db.directory), 'repaired');
  const { records } = await CairnDB.repair(db.directory, target);
  assert.equal(records, 30);
  const repaired = await openAt(t, target);
  const [table] = repaired.listTables();
  for (const [index, value] of values.entries()) assert.deepEqual(repaired.getSync(table, `k${index}`), value);
});
