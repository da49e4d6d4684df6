import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { CairnDB } from 'cairndb';
import { openAt } from '../helpers.mjs';
import { cairn, database, emptyDirectory, inTerminal, json, prints } from './helpers.mjs';

test('cairn: --version is the version of the package, and needs no other file', async (t) => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  assert.equal(await prints(t, ['--version']), `${version}\n`);
  const { code, text } = await inTerminal(t, ['--version']);
  assert.deepEqual({ code, text }, { code: 0, text: `${version}\n` });
});

test('cairn: tables lists names', async (t) => {
  const directory = await database(t);
  assert.equal(await prints(t, [directory, 'tables']), 'numbers\nusers\n');
  assert.deepEqual(await json(t, [directory, 'tables']), ['numbers', 'users']);
  assert.equal((await inTerminal(t, [directory, 'tables'])).text, 'numbers\nusers\n');
});

test('cairn: ls lists the tables with records and sizes', async (t) => {
  const directory = await database(t);
  const [heading, ...rows] = (await prints(t, [directory, 'ls'])).split('\n');
  assert.equal(heading, 'table    records  size');
  assert.match(rows[0], /^numbers {8}2 {2}\d+ B$/);
  assert.match(rows[1], /^users {10}2 {2}\d+ B$/);
  const tables = await json(t, [directory, 'ls']);
  assert.deepEqual(
    tables.map(({ table, records }) => [table, records]),
    [
      ['numbers', 2],
      ['users', 2],
    ],
  );
  const { code, text } = await inTerminal(t, [directory, 'ls']);
  assert.equal(code, 0);
  assert.ok(text.startsWith(`${heading}\n${rows[0]}\n`), text);
});

test('cairn: ls of a table lists its records with version, age, size and expiration', async (t) => {
  const directory = await database(t);
  const rows = (await prints(t, [directory, 'ls', 'users'])).split('\n');
  assert.match(rows[0], /^key {4}version +age +size +expires in$/);
  assert.match(rows[1], /^alice {8}1 +\d+ s +\d+ B$/);
  assert.match(rows[2], /^bob {10}2 +\d+ s +\d+ B +59 min$/);
  const [alice, bob] = await json(t, [directory, 'ls', 'users']);
  const db = await openAt(t, directory);
  for (const [line, key] of [
    [alice, 'alice'],
    [bob, 'bob'],
  ]) {
    const { version, timestamp, expiration } = await db.getRecord('users', key);
    assert.deepEqual({ ...line, bytes: 0 }, { key, version, timestamp, expiration, bytes: 0 });
    assert.ok(line.bytes > 4);
  }
});

test('cairn: keys and ls take ranges', async (t) => {
  const directory = await database(t, async (db) => {
    for (const key of ['a1', 'a2', 'a3', 'b1', 'b2', 'c1']) await db.write('t', key, key);
  });
  for (const [options, keys] of [
    [[], 'a1 a2 a3 b1 b2 c1'],
    [['--prefix', 'b'], 'b1 b2'],
    [['--prefix=b'], 'b1 b2'],
    [['--from', 'a3', '--to', 'b1'], 'a3 b1'],
    [['--limit', '2'], 'a1 a2'],
    [['--reverse', '--limit', '2'], 'c1 b2'],
    [['--limit', '0'], ''],
  ]) {
    const expected = keys.split(' ').filter(Boolean);
    assert.deepEqual(await json(t, [directory, 'keys', 't', ...options]), expected);
    assert.equal(await prints(t, [directory, 'keys', 't', ...options]), expected.map((key) => `${key}\n`).join(''));
    const rows = await json(t, [directory, 'ls', 't', ...options]);
    assert.deepEqual(
      rows.map(({ key }) => key),
      expected,
    );
  }
  assert.equal((await inTerminal(t, [directory, 'keys', 't', '--prefix', 'b'])).text, 'b1\nb2\n');
});

test('cairn: get shows a value for people, and a record in its tagged form for programs', async (t) => {
  const directory = await database(t);
  const text = "{ name: 'Alice', born: 1990-05-01T00:00:00.000Z, tags: [ 'a', 'b' ] }\n";
  assert.equal(await prints(t, [directory, 'get', 'users', 'alice']), text);
  assert.equal((await inTerminal(t, [directory, 'get', 'users', 'alice'])).text, text);
  assert.equal(await prints(t, [directory, 'get', 'numbers', 'many']), 'Map(1) { 1 => Set(1) { 2 } }\n');
  const [record] = await json(t, [directory, 'get', 'users', 'alice']);
  const db = await openAt(t, directory);
  const { value: _, dictionaryName: dictionary, ...expected } = await db.getRecord('users', 'alice');
  const value = { name: 'Alice', born: { $Date: '1990-05-01T00:00:00.000Z' }, tags: ['a', 'b'] };
  assert.deepEqual(record, { value, ...expected, dictionary });
});

test('cairn: set writes JSON, text and stdin, and del deletes', async (t) => {
  const directory = join(emptyDirectory(t), 'made', 'here');
  const set = (...args) => prints(t, [directory, 'set', 't', ...args]);
  assert.equal(await set('json', '{"a":[1,{"$Date":"1990-05-01T00:00:00.000Z"}]}'), 'written\n');
  await set('negative', '-5');
  await set('text', 'plain text', '--string');
  await set('--string', '--', '-k', 'after dashes');
  await prints(t, [directory, 'set', 't', 'stdin', '-'], { input: '[1,\n2]\n' });
  assert.deepEqual(await json(t, [directory, 'set', 't', 'gone', 'null']), [{ written: true }]);
  assert.equal((await inTerminal(t, [directory, 'set', 't', 'typed', 'true'])).text, 'written\n');
  assert.equal(await prints(t, [directory, 'del', 't', 'gone']), 'deleted\n');
  assert.equal((await inTerminal(t, [directory, 'del', 't', 'typed'])).text, 'deleted\n');
  const db = await openAt(t, directory);
  assert.deepEqual(await db.get('t'), [
    ['-k', 'after dashes'],
    ['json', { a: [1, new Date('1990-05-01')] }],
    ['negative', -5],
    ['stdin', [1, 2]],
    ['text', 'plain text'],
  ]);
});

test('cairn: set keeps its terms', async (t) => {
  const directory = await database(t);
  const before = Date.now();
  await prints(t, [directory, 'set', 'users', 'carol', '1', '--ttl', '1.5h', '--if-version', '0']);
  const refused = await cairn(t, [directory, 'set', 'users', 'carol', '2', '--if-version', '0']);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /^cairn: .*version 1.*\n$/);
  await prints(t, [directory, 'set', 'users', 'carol', '3', '--if-version', '1', '--ttl', '90s']);
  const db = await openAt(t, directory);
  const { value, version, timestamp, expiration } = await db.getRecord('users', 'carol');
  assert.deepEqual({ value, version }, { value: 3, version: 2 });
  assert.ok(expiration >= before + 90_000 && expiration <= timestamp + 90_001, `${expiration} at ${timestamp}`);
});

test('cairn: count counts what has not expired', async (t) => {
  const directory = await database(t, async (db) => {
    await db.write('a', 'k', 1);
    await db.write('b', 'k', 1);
    await db.write('b', 'gone', 1, { expiresAt: -1 });
  });
  assert.equal(await prints(t, [directory, 'count']), '2\n');
  assert.equal(await prints(t, [directory, 'count', 'b']), '1\n');
  assert.equal(await prints(t, [directory, 'count', 'nothing']), '0\n');
  assert.deepEqual(await json(t, [directory, 'count']), [{ records: 2 }]);
  assert.equal((await inTerminal(t, [directory, 'count'])).text, '2\n');
});

test('cairn: stats shows tables with bars, and all figures as JSON', async (t) => {
  const directory = await database(t, async (db) => {
    await Promise.all(Array.from({ length: 500 }, (_, index) => db.write('large', `k${index}`, 'x'.repeat(100))));
    await db.compact();
    await db.write('small', 'k', 1);
    for (const [key, hours] of Object.entries({ a: 0.5, b: 0.5, c: 5, d: 50, e: 500, f: 5000, g: 50_000 })) {
      await db.write('small', key, 1, { ttl: hours * 3_600_000 });
    }
  });
  const text = await prints(t, [directory, 'stats']);
  assert.match(text, /^table +records +live +dead +stones +pending +█ live ░ dead ▒ pending$/m);
  assert.match(text, /^large +500 +\d+ KiB +[\d.]+ (?:B|KiB) +1 +0 B +█+/m);
  assert.match(text, /^small +8 +\d+ B +0 B +0 +[\d.]+ (?:B|KiB)/m);
  assert.match(text, /^expires within +hour +day +week +later +█ hour ▓ day ▒ week ░ later$/m);
  assert.match(text, /^small +2 +1 +1 +3 +█+▓+▒+░+$/m);
  assert.match(text, /^space amplification +\d\.\d\d×$/m);
  const [stats] = await json(t, [directory, 'stats']);
  await prints(t, [directory, 'compact']);
  const [compacted] = await json(t, [directory, 'stats']);
  const expirations = ({ tables }) => tables.map((table) => table.expirations);
  assert.deepEqual(expirations(compacted), expirations(stats), 'those in files too');
  assert.equal(compacted.tables[1].stones.length, 1);
  assert.deepEqual(
    stats.tables.map(({ name, liveRecords }) => [name, liveRecords]),
    [
      ['large', 500],
      ['small', 8],
    ],
  );
  assert.equal(stats.liveRecords, 508);
  assert.deepEqual(
    stats.tables.map(({ expirations }) => expirations),
    [
      { hour: 0, day: 0, week: 0, later: 0 },
      { hour: 2, day: 1, week: 1, later: 3 },
    ],
  );
  assert.match((await inTerminal(t, [directory, 'stats'])).text, /^large +500 /m);
});

test('cairn: compact makes the files smaller, and says by how much', async (t) => {
  const fill = async (db) => {
    const value = (index) => randomBytes(200).toString('hex') + index;
    await Promise.all(Array.from({ length: 500 }, (_, index) => db.write('t', `k${index}`, value(index))));
    // From here on nothing is merged in the background: the deletions stay in the journal.
    await db.compact();
    await Promise.all(Array.from({ length: 400 }, (_, index) => db.delete('t', `k${index}`)));
  };
  const directory = await database(t, fill);
  const [{ before, after }] = await json(t, [directory, 'compact']);
  assert.ok(after < before, `${before} before, ${after} after`);
  assert.match(await prints(t, [directory, 'compact']), /^[\d.]+ KiB before, [\d.]+ KiB now\n$/);
  assert.match((await inTerminal(t, [directory, 'compact'])).text, /[\d.]+ KiB before, [\d.]+ KiB now\n$/);
  assert.equal(await prints(t, [directory, 'count']), '100\n');
});

test('cairn: bench measures beside the database, and leaves nothing', async (t) => {
  const directory = await database(t);
  const results = await json(t, [directory, 'bench']);
  assert.equal(results.length, 7);
  for (const { what, operations, seconds } of results) assert.ok(what && operations > 0 && seconds > 0);
  const { code, text } = await inTerminal(t, [directory, 'bench']);
  assert.equal(code, 0);
  assert.match(text, /what +per second +each takes\n/);
  assert.match(text, /^read a key at random +[\d,]+ +\S+ [µm]s$/m);
  assert.deepEqual(readdirSync(dirname(directory)), ['data']);
  assert.deepEqual((await openAt(t, directory)).listTables(), ['numbers', 'users']);
});

test('cairn: reading writes nothing', async (t) => {
  const directory = await database(t);
  const before = readdirSync(directory).map((name) => [name, readFileSync(join(directory, name), 'hex')]);
  for (const args of [
    ['tables'],
    ['ls'],
    ['ls', 'users'],
    ['get', 'users', 'bob'],
    ['keys', 'users'],
    ['count'],
    ['stats'],
    ['verify'],
  ]) {
    await prints(t, [directory, ...args]);
  }
  assert.deepEqual(
    readdirSync(directory).map((name) => [name, readFileSync(join(directory, name), 'hex')]),
    before,
  );
});

test('cairn: works beside an application that shares its database, and reads beside one that does not', async (t) => {
  const directory = await database(t);
  for (const access of ['exclusive', 'shared']) {
    const db = await CairnDB.open(directory, { access });
    await db.write('users', 'app', { access });
    assert.equal(await prints(t, [directory, 'get', 'users', 'app']), `{ access: '${access}' }\n`);
    assert.equal(await prints(t, [directory, 'count']), '5\n');
    await prints(t, [directory, 'stats']);
    await prints(t, [directory, 'verify']);
    for (const args of [['set', 'users', 'x', '1'], ['del', 'users', 'x'], ['compact']]) {
      const { code, stderr } = await cairn(t, [directory, ...args]);
      if (access === 'shared') assert.equal(code, 0, stderr);
      else {
        assert.equal(code, 3);
        assert.match(stderr, new RegExp(`^cairn: the database is in use by process ${process.pid}; .*read.*\n$`));
      }
    }
    await db.close();
  }
});
