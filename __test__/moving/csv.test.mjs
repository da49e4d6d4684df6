// Tables of CSV: read as RFC 4180 has them, written so that they come back, and never changed without being asked.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { newDirectory } from '../helpers.mjs';
import { assertSame } from '../same.mjs';
import { json } from '../values.mjs';
import { fails, fileOf, imports, inDatabase, newFolder, prints } from './helpers.mjs';

/** What a table has after an import of CSV. */
async function imported(t, text, ...args) {
  const directory = newDirectory(t);
  await imports(t, directory, ['--from', 'csv', '--table', 't', ...args], { input: text });
  return inDatabase(directory, (db) => db.get('t'));
}

/** The text of a table with these records. */
async function exported(t, records) {
  const directory = newDirectory(t);
  await inDatabase(directory, async (db) => {
    for (const [key, value] of records) await db.write('t', key, value);
  });
  return prints(t, [directory, 'export', '--table', 't', '--format', 'csv']);
}

test('cells are text unless types are asked for', async (t) => {
  const text = 'key,zip,born,empty,quoted\r\na,01234,2020-01-01,,""\r\nb,1e3,true,x,"1,5"\r\n';
  assert.deepEqual(await imported(t, text), [
    ['a', { zip: '01234', born: '2020-01-01', quoted: '' }],
    ['b', { zip: '1e3', born: 'true', empty: 'x', quoted: '1,5' }],
  ]);
});

test('quotes, line breaks, CRLF, LF, a byte order mark, empty lines and a missing end are read', async (t) => {
  const text = '\ufeff"key",a,b\n1,"x ""y"" z","line\r\nbreak"\r\n\r\n2,"",\n"3", c ,"d"';
  assert.deepEqual(await imported(t, text), [
    ['1', { a: 'x "y" z', b: 'line\r\nbreak' }],
    ['2', { a: '' }],
    ['3', { a: ' c ', b: 'd' }],
  ]);
});

test('types are those that were named, by column', async (t) => {
  const types = 'n=number,b=boolean,j=json,d=date,i=bigint,s=string';
  const text = 'key,n,b,j,d,i,s\nk,007,true,"{""a"":[1]}",2020-01-01,12345678901234567890,1\n';
  const [[, value]] = await imported(t, text, '--types', types);
  const expected = { n: 7, b: true, j: { a: [1] }, d: new Date('2020-01-01'), i: 12345678901234567890n, s: '1' };
  assertSame(value, expected);
});

test('auto takes for a number, true, false, null or JSON only what looks the same when it is written', async (t) => {
  const cells = [
    '1',
    '-1.5',
    '1e+21',
    '0',
    '-0',
    '007',
    '1.0',
    '1e3',
    '+1',
    '0x10',
    ' 1',
    'NaN',
    'true',
    'TRUE',
    'null',
  ];
  const text = `key,v,w\n${cells.map((cell, index) => `${String(index).padStart(2, '0')},${cell},x`).join('\n')}\n`;
  const values = (await imported(t, text, '--types', 'auto')).map(([, { v }]) => v);
  assertSame(values, [1, -1.5, 1e21, 0, -0, '007', '1.0', '1e3', '+1', '0x10', ' 1', 'NaN', true, 'TRUE', null]);
  const [[, { v, w }]] = await imported(t, 'key,v,w\nk,"1","[1,{""a"":2}]"\n', '--types', 'auto');
  assertSame([v, w], ['1', [1, { a: 2 }]]);
  const [[, mixed]] = await imported(t, 'key,v,w\nk,1,2\n', '--types', 'auto,w=string');
  assertSame(mixed, { v: 1, w: '2' });
});

test('the key is the column that is named, and stays in the value', async (t) => {
  assert.deepEqual(await imported(t, 'name,id\nx,1\n', '--key', 'id'), [['1', { name: 'x', id: '1' }]]);
  assert.deepEqual(await imported(t, 'name;id\nx;1\n', '--key', 'id', '--delimiter', ';'), [
    ['1', { name: 'x', id: '1' }],
  ]);
});

test('a table of keys and values has the values themselves', async (t) => {
  assert.deepEqual(await imported(t, 'key,value\na,1\nb,\n', '--types', 'auto'), [
    ['a', 1],
    ['b', ''],
  ]);
});

test('columns are the members that records have, and other values have a column', async (t) => {
  assert.equal(
    await exported(t, [
      ['a', { x: 1, y: 'z' }],
      ['b', { y: '1', w: [1, 'q'] }],
      ['c', new Date(0)],
      ['d,', { x: null, y: '' }],
    ]),
    'key,x,y,w,value\r\na,1,z,,\r\nb,,"1","[1,""q""]",\r\nc,,,,1970-01-01T00:00:00.000Z\r\n"d,",null,"",,\r\n',
  );
  assert.equal(
    await exported(t, [
      ['a', 5],
      ['b', 'x'],
    ]),
    'key,value\r\na,5\r\nb,x\r\n',
  );
  assert.equal(await exported(t, [['a', {}]]), 'key\r\na\r\n');
});

test('objects of JSON come back with auto', async (t) => {
  // A text that looks like a list or an object is the one thing that is taken for another.
  const isOpen = (value) => typeof value === 'string' && /^[[{]/.test(value);
  const isTagged = (value) => /"\$/.test(JSON.stringify(value));
  const member = json.filter((value) => !isOpen(value) && !isTagged(value));
  const name = fc.string({ minLength: 1 }).filter((text) => text !== 'value' && text.isWellFormed());
  const object = fc.dictionary(name, member, { maxKeys: 4 }).map((value) => ({ ...value, always: 1, more: 'x' }));
  // Half of a surrogate pair, which JSON escapes, is refused.
  const values = fc.sample(object, 300).filter((value) => !/\\ud[89a-f]/.test(JSON.stringify(value)));
  assert.ok(values.length > 50);
  const text = await exported(
    t,
    values.map((value, index) => [String(index).padStart(3, '0'), value]),
  );
  const back = await imported(t, text, '--types', 'auto');
  assert.equal(back.length, values.length);
  const members = (value) =>
    Object.entries(value)
      .map((entry) => JSON.stringify(entry))
      .sort();
  for (const [index, value] of values.entries())
    assert.deepEqual(members(back[index][1]), members(value), String(index));
});

for (const [what, text, pattern, args = []] of [
  ['too few cells', 'key,a,b\nk,1\n', /line 2: it has 2 cells, and the first line has 3 columns/],
  ['a quote that is not closed', 'key,a\nk,1\nl,"x\ny\n', /line 3: the quote .* is not closed/],
  ['text behind a quote', 'key,a\nk,"x"y\n', /line 2: something stands behind/],
  ['a quote inside of a cell', 'key,a\nk,x"y"\n', /line 2: a quote stands in a cell/],
  ['no key column', 'id,a\nk,1\n', /the first column is not called "key".*"id", "a"/],
  ['another key column', 'id,a\nk,1\n', /no column "nr"/, ['--key', 'nr']],
  ['another delimiter', 'key;a\nk;1\n', /if ";" separates columns, say so with --delimiter/],
  ['two columns of a name', 'key,a,a\nk,1,2\n', /two columns are called "a"/],
  ['a type for no column', 'key,a\nk,1\n', /names a column "b"/, ['--types', 'b=number']],
  ['what is no number', 'key,a\nk,x\n', /line 2: column "a": "x" is not a number/, ['--types', 'a=number']],
  ['what is no JSON', 'key,a\nk,x\n', /column "a": "x" is not JSON/, ['--types', 'a=json']],
  ['an empty key', 'key,a\n,x\n', /line 2: Key "" is empty/],
]) {
  test(`CSV with ${what} is refused with its line`, async (t) => {
    const directory = newDirectory(t);
    await fails(t, [directory, 'import', fileOf(t, 'x.csv', text), '--table', 't', ...args], 3, pattern);
  });
}

test('a table that has no columns to speak of is refused', async (t) => {
  const directory = newDirectory(t);
  await inDatabase(directory, async (db) => {
    await db.write('mixed', 'a', { value: 1 });
    await db.write('mixed', 'b', 2);
    for (let index = 0; index < 101; index += 1) {
      const members = Array.from({ length: 100 }, (_, member) => [`m${index}-${member}`, 1]);
      await db.write('wide', `k${index}`, Object.fromEntries(members));
    }
    await db.write('half', 'k', { a: '\ud800' });
  });
  const args = (table) => [directory, 'export', '--format', 'csv', '--table', table];
  await fails(t, args('mixed'), 3, /some records have a member "value".*Export it as jsonl/);
  await fails(t, args('wide'), 3, /more than 10000 different members/);
  const output = join(newFolder(t), 'half.csv');
  await fails(t, [...args('half'), '-o', output], 3, /"k" contains half of a surrogate pair/);
  assert.equal(existsSync(output), false);
  await fails(t, [directory, 'export', '--format', 'csv'], 2, /csv is for one table/);
});

test('cells are whole wherever the input is cut', async (t) => {
  const cell = (index) => `${'ä"鍵\r\n,'.repeat(index % 30)}${index}`;
  const rows = Array.from({ length: 5000 }, (_, index) => `k${index},"${cell(index).replaceAll('"', '""')}",x`);
  const directory = newDirectory(t);
  const file = fileOf(t, 'x.csv', `key,a,b\r\n${rows.join('\r\n')}`);
  assert.ok(readFileSync(file).length > 500_000);
  await imports(t, directory, [file, '--table', 't']);
  await inDatabase(directory, async (db) => {
    for (let index = 0; index < 5000; index += 1) assert.equal(db.getSync('t', `k${index}`).a, cell(index));
  });
});
