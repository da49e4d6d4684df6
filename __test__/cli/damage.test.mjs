import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { openAt } from '../helpers.mjs';
import { cairn, database, inTerminal, json, prints } from './helpers.mjs';

/** A database with fifty records in a stone and twenty in the journal. */
function sound(t) {
  return database(t, async (db) => {
    for (let index = 0; index < 50; index += 1) await db.write('stone', `k${index}`, `text of ${index}`);
    await db.compact();
    for (let index = 0; index < 20; index += 1) await db.write('journal', `k${index}`, `value ${index}`);
  });
}

/** Changes a byte where `text` stands; the file. */
function damage(directory, text) {
  const path = readdirSync(directory)
    .map((name) => join(directory, name))
    .find((file) => readFileSync(file).includes(text));
  const bytes = readFileSync(path);
  bytes[bytes.indexOf(text)] ^= 1;
  writeFileSync(path, bytes);
  return path;
}

test('cairn: verify of a sound database says so, and exits with 0', async (t) => {
  const directory = await sound(t);
  assert.match(
    await prints(t, [directory, 'verify']),
    /^\d+ files with .* read; \d+ records and journal entries are sound\nno damage\n$/,
  );
  const [{ files, checked, damage: found }] = await json(t, [directory, 'verify']);
  assert.ok(files >= 2 && checked >= 70);
  assert.deepEqual(found, []);
  const { code, text } = await inTerminal(t, [directory, 'verify']);
  assert.equal(code, 0);
  assert.match(text, /no damage\n$/);
});

test('cairn: verify names the damage and what is lost by it, and exits with 1', async (t) => {
  const directory = await sound(t);
  const path = damage(directory, 'text of 33');
  const { code, stdout, stderr } = await cairn(t, [directory, 'verify']);
  assert.deepEqual({ code, stderr }, { code: 1, stderr: '' });
  assert.match(stdout, /^2 places damaged:$/m);
  assert.match(
    stdout,
    new RegExp(`^  ${path} at \\d+: a table file is damaged: a group of records fails its checksum$`, 'm'),
  );
  assert.match(stdout, /^ {4}lost: k33 of table stone$/m);
  assert.match(stdout, /repair <target>/);
  const machine = await cairn(t, [directory, 'verify', '--json']);
  assert.equal(machine.code, 1);
  const report = JSON.parse(machine.stdout);
  assert.deepEqual(
    report.damage.filter(({ keys }) => keys.length > 0).map(({ path, table, keys }) => ({ path, table, keys })),
    [{ path, table: 'stone', keys: ['k33'] }],
  );
  const shown = await inTerminal(t, [directory, 'verify']);
  assert.equal(shown.code, 1);
  assert.match(shown.text, /lost: k33/);
});

test('cairn: what is damaged cannot be read, which is neither missing nor another value', async (t) => {
  const directory = await sound(t);
  damage(directory, 'text of 33');
  const { code, stdout, stderr } = await cairn(t, [directory, 'get', 'stone', 'k33']);
  assert.deepEqual({ code, stdout }, { code: 3, stdout: '' });
  assert.match(stderr, /^cairn: [^\n]*\.stone[^\n]*\n$/);
  assert.equal(await prints(t, [directory, 'get', 'stone', 'k34']), "'text of 34'\n");
});

test('cairn: verify names what keeps a database from being opened', async (t) => {
  const directory = await sound(t);
  const path = damage(directory, 'value 7');
  const { code, stdout } = await cairn(t, [directory, 'verify']);
  assert.equal(code, 1);
  assert.ok(stdout.includes(path), stdout);
  const report = JSON.parse((await cairn(t, [directory, 'verify', '--json'])).stdout);
  assert.equal(report.damage[0].path, path);
  const opened = await cairn(t, [directory, 'count']);
  assert.equal(opened.code, 3);
  assert.match(opened.stderr, /^cairn: [^\n]*repair[^\n]*\n$/);
});

test('cairn: repair writes a new database of what is sound, and lists what is lost', async (t) => {
  const directory = await sound(t);
  damage(directory, 'text of 33');
  damage(directory, 'value 7');
  const target = join(dirname(directory), 'repaired');
  const text = await prints(t, [directory, 'repair', target]);
  assert.match(text, /^68 records in 2 tables written to .*repaired\n2 places damaged:\n/);
  assert.match(text, /lost: k33 of table stone/);
  assert.match(text, /lost: k7 of table journal/);
  const db = await openAt(t, target);
  assert.equal(await db.getTableSize('stone'), 49);
  assert.equal(await db.getTableSize('journal'), 19);
  const again = await cairn(t, [directory, 'repair', target]);
  assert.equal(again.code, 3);
  assert.match(again.stderr, /^cairn: [^\n]*empty[^\n]*\n$/);
  const [report] = await json(t, [directory, 'repair', `${target}-2`]);
  assert.equal(report.records, 68);
  assert.equal(report.damage.length, 2);
  assert.equal((await inTerminal(t, [directory, 'repair', `${target}-3`])).code, 0);
});

test('cairn: a lost manifest is damage, and no empty database', async (t) => {
  const directory = await sound(t);
  for (const name of readdirSync(directory).filter((file) => file.endsWith('.manifest')))
    unlinkSync(join(directory, name));
  const before = readdirSync(directory);
  for (const args of [['tables'], ['count'], ['set', 't', 'k', '1'], ['compact']]) {
    const { code, stderr } = await cairn(t, [directory, ...args]);
    assert.equal(code, 3, args.join(' '));
    assert.match(stderr, /manifest/);
  }
  assert.deepEqual(
    readdirSync(directory).filter((name) => name !== 'lock'),
    before.filter((name) => name !== 'lock'),
  );
  assert.equal((await cairn(t, [directory, 'verify'])).code, 1);
  assert.equal(existsSync(join(directory, 'lock')), before.includes('lock') || existsSync(join(directory, 'lock')));
  assert.match(await prints(t, [directory, 'repair', join(dirname(directory), 'repaired')]), /^70 records/);
});

test('cairn: backup copies, restore makes a database of it, and both say how much', async (t) => {
  const directory = await sound(t);
  const at = (name) => join(dirname(directory), name);
  assert.match(await prints(t, [directory, 'backup', at('one')]), /^70 records in 2 tables, .* written to .*one\n$/);
  assert.match((await inTerminal(t, [directory, 'backup', at('two')])).text, /70 records in 2 tables/);
  const [report] = await json(t, [at('one'), 'restore', at('three')]);
  assert.deepEqual({ ...report, bytes: 0 }, { tables: 2, records: 70, bytes: 0 });
  assert.match((await inTerminal(t, [at('two'), 'restore', at('four')])).text, /70 records in 2 tables/);
  for (const name of ['three', 'four']) assert.equal(await prints(t, [at(name), 'count']), '70\n');
  for (const args of [
    [directory, 'backup', at('one')],
    [at('one'), 'restore', at('three')],
    [at('nothing'), 'restore', at('five')],
  ]) {
    const { code, stderr } = await cairn(t, args);
    assert.equal(code, 3);
    assert.match(stderr, /^cairn: [^\n]+\n$/);
  }
  assert.equal(existsSync(at('five')), false);
});

test('cairn: a damaged database is not backed up as a good one', async (t) => {
  const directory = await sound(t);
  damage(directory, 'text of 33');
  const target = join(dirname(directory), 'copy');
  const { code, stderr } = await cairn(t, [directory, 'backup', target]);
  assert.equal(code, 3);
  assert.match(stderr, /^cairn: [^\n]*\.stone[^\n]*\n$/);
  assert.deepEqual(existsSync(target) ? readdirSync(target) : [], []);
});

test('cairn: prune removes earlier generations', async (t) => {
  const directory = await database(
    t,
    async (db) => {
      for (let round = 0; round < 4; round += 1) {
        await db.write('t', 'k', round);
        await db.compact();
      }
    },
    { keepGenerations: 4 },
  );
  const manifests = () => readdirSync(directory).filter((name) => name.endsWith('.manifest')).length;
  assert.match(
    await prints(t, [directory, 'prune', '--keep', '3']),
    /^\d+ generations? removed: \d+ files? with .*\n$/,
  );
  const [report] = await json(t, [directory, 'prune', '--keep', '1']);
  assert.deepEqual(Object.keys(report), ['generations', 'files', 'bytes']);
  assert.equal(manifests(), 1);
  assert.match((await inTerminal(t, [directory, 'prune', '--keep', '1'])).text, /^0 generations removed/);
  assert.equal(await prints(t, [directory, 'get', 't', 'k']), '3\n');
});
