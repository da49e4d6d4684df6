// Export to JSON lines and import of them: exact for every value, and clear about what is wrong.

import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { ended, newDirectory, open } from '../helpers.mjs';
import { assertSame } from '../same.mjs';
import { anything, json } from '../values.mjs';
import { exportedLines, fails, fileOf, imports, inDatabase, prints, recordsOf, start } from './helpers.mjs';

/** A database with what `fill` writes, exported and imported again; the directories of both, and the file. */
async function moved(t, fill) {
  const [source, target] = [newDirectory(t), newDirectory(t)];
  await inDatabase(source, fill);
  const file = join(dirname(target), 'all.jsonl');
  await prints(t, [source, 'export', '--output', file]);
  await imports(t, target, [file]);
  return { source, target, file };
}

function assertSameRecords(actual, expected) {
  assert.deepEqual(Object.keys(actual), Object.keys(expected));
  for (const table of Object.keys(expected)) {
    assert.deepEqual([...actual[table].keys()], [...expected[table].keys()], table);
    for (const [key, record] of expected[table]) assertSame(actual[table].get(key), record, `${table}/${key}`);
  }
}

const taggedLike = fc.oneof(
  ...['$Date', '$Map', '$$Date', '$', '$$', '$undefined', '$unknown', '__proto__', 'toJSON'].map((name) =>
    anything.map((value) => Object.fromEntries([[name, value]])),
  ),
);

test('every value comes back as it was, with its version, times and table', async (t) => {
  const values = [...fc.sample(anything, 700), ...fc.sample(taggedLike, 300), new Date(Number.NaN), new Date(-8.64e15)];
  const { source, target } = await moved(t, async (db) => {
    for (const [index, value] of values.entries()) await db.write(`t${index % 3}`, `k${index}`, value ?? null);
    await db.write('t0', 'k0', 'again');
    await db.write('t0', 'later', 1, { expiresAt: 32503680000000.5 });
  });
  const [expected, actual] = [await recordsOf(source), await recordsOf(target)];
  assert.equal(expected.t0.get('k0').version, 2);
  assert.equal(expected.t0.get('later').expiration, 32503680000000.5);
  assertSameRecords(actual, expected);
});

test('an export of what was imported is the same text, and so is a second import', async (t) => {
  const { target, file } = await moved(t, async (db) => {
    for (const [index, value] of fc.sample(anything, 200).entries()) await db.write('t', `k${index}`, [value]);
  });
  const text = readFileSync(file, 'utf8');
  assert.equal(await prints(t, [target, 'export']), text);
  await imports(t, target, [file]);
  assert.equal(await prints(t, [target, 'export']), text);
});

test('plain JSON stands for itself', async (t) => {
  const directory = newDirectory(t);
  const values = fc.sample(json, 300).map((value) => [value, value]);
  await inDatabase(directory, async (db) => {
    for (const [index, value] of values.entries()) await db.write('t', `k${String(index).padStart(3, '0')}`, value);
  });
  const tagged = (value) => /"\$/.test(JSON.stringify(value));
  const lines = await exportedLines(t, directory);
  for (const [index, value] of values.entries()) {
    if (!tagged(value)) assert.equal(JSON.stringify(lines[index].value), JSON.stringify(value));
  }
  const { table, key, version, expiration, ...rest } = lines[0];
  assert.deepEqual({ table, key, version, expiration }, { table: 't', key: 'k000', version: 1, expiration: null });
  assert.deepEqual(Object.keys(rest), ['value', 'timestamp']);
});

test('what JSON lacks is tagged, and what looks like a tag is escaped', async (t) => {
  const directory = newDirectory(t);
  const cases = [
    [new Date(0), { $Date: '1970-01-01T00:00:00.000Z' }],
    [new Date(Number.NaN), { $Date: null }],
    [12n, { $BigInt: '12' }],
    [-0, { $Number: '-0' }],
    [Number.NaN, { $Number: 'NaN' }],
    [Number.NEGATIVE_INFINITY, { $Number: '-Infinity' }],
    [[undefined], [{ $undefined: true }]],
    [new Map([[{ a: 1 }, new Set([2n])]]), { $Map: [[{ a: 1 }, { $Set: [{ $BigInt: '2' }] }]] }],
    [Buffer.from('hi'), { $Buffer: 'aGk=' }],
    [Uint8Array.of(1), { $Uint8Array: 'AQ==' }],
    [Int16Array.of(1), { $Int16Array: 'AQA=' }],
    [new DataView(new ArrayBuffer(1)), { $DataView: 'AA==' }],
    [new ArrayBuffer(1), { $ArrayBuffer: 'AA==' }],
    [{ $Date: 1 }, { $$Date: 1 }],
    [{ $$a: { $b: 1n } }, { $$$a: { $$b: { $BigInt: '1' } } }],
    [
      { $Date: 1, $Map: 2 },
      { $Date: 1, $Map: 2 },
    ],
  ];
  await inDatabase(directory, async (db) => {
    for (const [index, [value]] of cases.entries()) await db.write('t', `k${index + 10}`, value);
  });
  const lines = await exportedLines(t, directory);
  assert.deepEqual(
    lines.map(({ value }) => value),
    cases.map(([, encoded]) => encoded),
  );
});

test('a thousand levels come back, of lists, objects and maps', async (t) => {
  const deep = (wrap) => Array.from({ length: 999 }).reduce((value) => wrap(value), 1n);
  const { source, target } = await moved(t, async (db) => {
    await db.write(
      't',
      'lists',
      deep((value) => [value]),
    );
    await db.write(
      't',
      'objects',
      deep((value) => ({ $a: value })),
    );
    await db.write(
      't',
      'maps',
      Array.from({ length: 499 }).reduce((value) => new Map([[1, value]]), 1n),
    );
  });
  assertSameRecords(await recordsOf(target), await recordsOf(source));
});

test('dictionaries move with the records, and tables without records too', async (t) => {
  const { source, target } = await moved(t, async (db) => {
    db.addDictionary('d', { deflate: { sensor: 's', __proto__: null, temperature: 't' } });
    await db.write('t', 'a', { sensor: 1 }, { dictionary: 'd' });
    await db.write('t', 'b', 5, { dictionary: 'd' });
    db.addDictionary('d', { deflate: { sensor: 'x' } });
    await db.write('t', 'c', { sensor: 2, temperature: 3 }, { dictionary: 'd' });
    await db.write('empty', 'k', 1);
    await db.delete('empty', 'k');
  });
  const records = await recordsOf(target);
  assertSameRecords(records, await recordsOf(source));
  assert.equal(records.t.get('b').dictionaryName, 'd');
  assert.deepEqual(Object.keys(records), ['empty', 't']);
  const definitions = (await exportedLines(t, target)).filter((line) => Object.hasOwn(line, 'deflate'));
  assert.deepEqual(
    definitions.map(({ deflate }) => deflate),
    [{ sensor: 's', temperature: 't' }, { sensor: 'x' }],
  );
});

test('tables and keys can be chosen', async (t) => {
  const [source, target] = [newDirectory(t), newDirectory(t)];
  await inDatabase(source, async (db) => {
    for (const table of ['a', 'b', 'c'])
      for (const key of ['x1', 'x2', 'y1']) await db.write(table, key, `${table}${key}`);
  });
  const keys = (lines) => lines.map(({ table, key }) => `${table}/${key}`).join(' ');
  assert.equal(keys(await exportedLines(t, source, '--table', 'b', '--prefix', 'x')), 'b/x1 b/x2');
  assert.equal(keys(await exportedLines(t, source, '--table', 'c', '--table', 'a', '--prefix', 'y')), 'c/y1 a/y1');
  const all = await prints(t, [source, 'export']);
  const report = await imports(t, target, ['--from', 'jsonl', '--table', 'b', '-'], { input: all });
  assert.deepEqual(report, { from: 'jsonl', records: 3, tables: { b: 3 }, notices: [] });
  await fails(t, [source, 'export', '--table', 'none'], 1, /there is no table none/);
});

test('a byte order mark, CRLF, empty lines and a missing end of line are no matter', async (t) => {
  const directory = newDirectory(t);
  const text = '\ufeff{"key":"a","value":1}\r\n\r\n  \n{"key":"b","value":"ä\\ud800"}';
  await imports(t, directory, [fileOf(t, 'x.jsonl', text), '--table', 't']);
  const { t: records } = await recordsOf(directory);
  assert.deepEqual(
    [...records].map(([key, { value, version }]) => [key, value, version]),
    [
      ['a', 1, 1],
      ['b', 'ä\ud800', 1],
    ],
  );
});

test('characters are whole wherever the input is cut', async (t) => {
  const directory = newDirectory(t);
  const values = Array.from({ length: 3000 }, (_, index) => `${'ä鍵🔑'.repeat(index % 40)}${index}`);
  const lines = values.map((value, index) => JSON.stringify({ table: 't', key: String(index), value }));
  await imports(t, directory, [fileOf(t, 'x.jsonl', lines.join('\n'))]);
  await inDatabase(directory, async (db) => {
    assert.deepEqual(await db.getMany('t', [...values.keys()].map(String)), values);
  });
});

test('an empty file is an import of nothing', async (t) => {
  const directory = newDirectory(t);
  for (const content of ['', '\ufeff', '\n\n']) {
    const report = await imports(t, directory, [fileOf(t, 'x.jsonl', content)]);
    assert.deepEqual(report, { from: 'jsonl', records: 0, tables: {}, notices: [] });
  }
});

test('lines that are values have their key in a member', async (t) => {
  const directory = newDirectory(t);
  const lines = ['{"id":"a","n":1}', '{"id":7,"$Date":2}'].join('\n');
  await imports(t, directory, ['--from', 'jsonl', '--key', 'id', '--table', 't'], { input: lines });
  const { t: records } = await recordsOf(directory);
  assert.deepEqual(
    [...records].map(([key, { value }]) => [key, value]),
    [
      ['7', { id: 7, $Date: 2 }],
      ['a', { id: 'a', n: 1 }],
    ],
  );
});

const GOOD = '{"table":"t","key":"a","value":1}\n';
for (const [what, line, pattern] of [
  ['no JSON', '{"table":', /it is not JSON/],
  ['no object', '[1]', /an array, not an object/],
  ['no key', '{"table":"t","value":1}', /its key is undefined/],
  ['no value', '{"table":"t","key":"k"}', /it has no value/],
  ['no table', '{"key":"k","value":1}', /names no table/],
  ['a foreign member', '{"table":"t","id":1,"value":1}', /a member "id"/],
  ['an unknown tag', '{"table":"t","key":"k","value":{"$oid":"1"}}', /write "\$\$oid"/],
  ['bad Base64', '{"table":"t","key":"k","value":{"$Buffer":"?"}}', /give Base64/],
  ['a bad date', '{"table":"t","key":"k","value":{"$Date":"1"}}', /give a time/],
  ['a bad BigInt', '{"table":"t","key":"k","value":{"$BigInt":"1.5"}}', /decimal digits/],
  ['a bad number', '{"table":"t","key":"k","value":{"$Number":"1"}}', /NaN, Infinity/],
  ['half an element', '{"table":"t","key":"k","value":{"$Int16Array":"AQ=="}}', /elements of 2 bytes/],
  ['a bad version', '{"table":"t","key":"k","value":1,"version":0,"timestamp":1}', /its version is 0/],
  ['a version alone', '{"table":"t","key":"k","value":1,"version":1}', /give both, or none/],
  ['a key that cannot be one', '{"table":"t","key":"","value":1}', /Key "" is empty/],
  ['a table that cannot be one', '{"table":"a/b","key":"k","value":1}', /path separator/],
  ['a dictionary that is not there', '{"table":"t","key":"k","value":1,"dictionary":"d"}', /no dictionary "d"/],
  ['bytes that are not UTF-8', Buffer.from([0x22, 0xff, 0x22]), /it is not UTF-8/],
]) {
  test(`a line with ${what} is refused with its number`, async (t) => {
    const directory = newDirectory(t);
    const file = fileOf(t, 'x.jsonl', Buffer.concat([Buffer.from(GOOD), Buffer.from(line), Buffer.from('\n')]));
    await fails(t, [directory, 'import', file], 3, pattern);
    await fails(t, [directory, 'import', file], 3, /x\.jsonl, line 2: /);
  });
}

test('what stands before a bad line is there in whole batches, and the corrected file completes it', async (t) => {
  const directory = newDirectory(t);
  const lines = Array.from({ length: 5000 }, (_, index) => JSON.stringify({ key: String(index), value: index }));
  const bad = lines.with?.(4500, '{"key":') ?? lines.map((line, index) => (index === 4500 ? '{"key":' : line));
  await fails(
    t,
    [directory, 'import', fileOf(t, 'x.jsonl', bad.join('\n')), '--table', 't'],
    3,
    /line 4501: it is not JSON/,
  );
  if (existsSync(directory)) {
    const count = await inDatabase(directory, (db) => db.getTableSize('t'));
    assert.ok(count <= 4500);
  }
  await imports(t, directory, [fileOf(t, 'x.jsonl', lines.join('\n')), '--table', 't']);
  assert.equal(await inDatabase(directory, (db) => db.getTableSize('t')), 5000);
});

test('a source that cannot be read leaves no database behind', async (t) => {
  const directory = newDirectory(t);
  await fails(t, [directory, 'import', fileOf(t, 'x.jsonl', 'no')], 3, /line 1: it is not JSON/);
  await fails(t, [directory, 'import', `${directory}.jsonl`], 3, /there is no .*\.jsonl/);
  await fails(t, [directory, 'import'], 2, /say with --from/);
  await fails(t, [directory, 'import', fileOf(t, 'x.csv', '')], 2, /say with --table/);
  assert.equal(existsSync(directory), false);
});

test('an export is there under its name when it is whole, in the place of the one before', async (t) => {
  const directory = newDirectory(t);
  await inDatabase(directory, (db) => db.write('t', 'k', 1));
  const file = fileOf(t, 'out.jsonl', 'before');
  const report = JSON.parse(await prints(t, [directory, 'export', '-o', file, '--json']));
  assert.deepEqual(report, { records: 1, tables: ['t'], format: 'jsonl', output: file });
  assert.match(readFileSync(file, 'utf8'), /^{"table":"t","key":"k","value":1,.*}\n$/);
  assert.deepEqual(readdirSync(dirname(file)), ['out.jsonl']);
  await fails(t, [directory, 'export', '-o', dirname(file)], 3, /is a directory/);
  await fails(t, [directory, 'export', '-o', join(file, 'x')], 3, /Cannot write|ENOTDIR/);
});

test('an export runs beside a program that has the database open, and writes nothing there', async (t) => {
  const db = await open(t);
  await db.write('t', 'k', 1);
  const before = readdirSync(db.directory);
  assert.equal((await exportedLines(t, db.directory)).length, 1);
  assert.deepEqual(readdirSync(db.directory), before);
});

test('memory stays flat, whatever the size of the input', async (t) => {
  const directory = newDirectory(t);
  const filler = 'x'.repeat(900);
  const lines = Array.from({ length: 100_000 }, (_, index) =>
    JSON.stringify({ key: `k${index}`, value: { index, filler } }),
  );
  const file = fileOf(t, 'x.jsonl', `${lines.join('\n')}\n`);
  // A tenth of the input: an import or an export that collects it ends with an error.
  const nodeArgs = ['--max-old-space-size=16'];
  const { records } = await imports(t, directory, [file, '--table', 't'], { nodeArgs });
  assert.equal(records, 100_000);
  for (const format of ['jsonl', 'csv']) {
    const output = join(dirname(file), `out.${format}`);
    await prints(t, [directory, 'export', '--table', 't', '-o', output], { nodeArgs });
    assert.ok(readFileSync(output).length > 90_000_000);
  }
});

test('memory stays flat, however large the values are', async (t) => {
  const [source, target] = [newDirectory(t), newDirectory(t)];
  const value = 'x'.repeat(1024 * 1024);
  await inDatabase(source, async (db) => {
    for (let index = 0; index < 200; index += 1) await db.write('t', `k${index}`, value);
  });
  const nodeArgs = ['--max-old-space-size=40'];
  const file = fileOf(t, 'x.jsonl', '');
  await prints(t, [source, 'export', '-o', file], { nodeArgs });
  assert.equal((await imports(t, target, [file], { nodeArgs })).records, 200);
});

for (const from of ['jsonl', 'csv']) {
  test(`a line of ${from} that no text can hold is refused, and not collected`, async (t) => {
    const child = start(t, [newDirectory(t), 'import', '--from', from, '--table', 't']);
    const end = ended(child);
    const block = Buffer.alloc(1024 * 1024, 'x');
    for (let megabytes = 0; megabytes < 1024 && child.exitCode === null && child.stdin.writable; megabytes += 1) {
      await new Promise((resolve) => child.stdin.write(block, resolve));
    }
    const { code, stderr } = await end;
    assert.match(stderr, /^cairn: standard input, line 1: (?:it|a row) has more than 536870888 (?:bytes|characters)/);
    assert.equal(code, 3);
  });
}
