import assert from 'node:assert/strict';
import { test } from 'node:test';
import { open, refusesToWrite, rejects, reopen, throws } from './helpers.mjs';

const BAD_TABLES = [
  ['empty', '', /empty/],
  ['undefined', undefined, /not a string/],
  ['null', null, /not a string/],
  ['a number', 7, /not a string/],
  ['an object', {}, /not a string/],
  ['256 characters long', 'x'.repeat(256), /256 characters.*255/],
  ['one with a slash', 'a/b', /separator/],
  ['one with a backslash', 'a\\b', /separator/],
  ['one that leaves the directory', '../evil', /separator/],
  ['one with two dots inside', 'a..b', /\.\./],
  ['one that begins with a dot', '.hidden', /starts with/],
  ['one with NUL', 'a\0b', /NUL/],
  ['half of a surrogate pair', 'a\ud800', /surrogate/],
  ...['CON', 'prn', 'Aux', 'NUL', 'com1', 'COM9', 'lpt1', 'LPT9', 'con.txt', 'Com3.tar.gz'].map((name) => [
    `${name}, which Windows reserves`,
    name,
    /Windows/,
  ]),
];

for (const [what, table, pattern] of BAD_TABLES) {
  test(`a table name is refused: ${what}`, async (t) => {
    const db = await open(t);
    const code = 'ERR_CAIRN_INVALID_TABLE';
    await refusesToWrite(db, () => db.write(table, 'k', 1), code, pattern);
    await refusesToWrite(db, () => db.batch([{ type: 'put', table, key: 'k', value: 1 }]), code, pattern);
    for (const method of ['delete', 'get', 'has', 'getRecord']) await rejects(() => db[method](table, 'k'), code);
    for (const method of ['getTableSize', 'deleteTable', 'cleanupExpired', 'get']) {
      await rejects(() => db[method](table), code, pattern);
    }
    await rejects(() => db.getMany(table, ['k']), code);
    for (const method of ['entries', 'keys', 'values']) await rejects(() => db[method](table).next(), code);
    throws(() => db.getSync(table, 'k'), code, pattern);
  });
}

const GOOD_TABLES = [
  'a',
  'x'.repeat(255),
  '\u{1F600}'.repeat(127),
  '表'.repeat(255),
  'con1',
  'COM',
  'lpt',
  'a.b',
  ' ',
  '$',
];

test('legal table names of every kind work, also after reopening', async (t) => {
  const first = await open(t);
  for (const [index, table] of GOOD_TABLES.entries()) await first.write(table, 'k', index);
  const second = await reopen(t, first);
  for (const [index, table] of GOOD_TABLES.entries()) assert.equal(await second.get(table, 'k'), index);
  assert.deepEqual(second.listTables().sort(), [...GOOD_TABLES].sort());
});

const BAD_KEYS = [
  ['empty', '', /empty/],
  ['null', null, /not a string/],
  ['a number', 5, /not a string/],
  ['an array', ['k'], /not a string/],
  ['1025 bytes of ASCII', 'k'.repeat(1025), /1025 bytes.*1024/],
  ['513 characters of two bytes', 'é'.repeat(513), /1026 bytes/],
  ['342 characters of three bytes', '鍵'.repeat(342), /1026 bytes/],
  ['one with NUL', 'a\0b', /NUL/],
  ['half of a surrogate pair', '\udc00a', /surrogate/],
];

for (const [what, key, pattern] of BAD_KEYS) {
  test(`a key is refused: ${what}`, async (t) => {
    const db = await open(t);
    const code = 'ERR_CAIRN_INVALID_KEY';
    await refusesToWrite(db, () => db.write('t', key, 1), code, pattern);
    await refusesToWrite(db, () => db.batch([{ type: 'del', table: 't', key }]), code, pattern);
    for (const method of ['delete', 'get', 'has', 'getRecord'])
      await rejects(() => db[method]('t', key), code, pattern);
    await rejects(() => db.getMany('t', ['ok', key]), code, pattern);
    throws(() => db.getSync('t', key), code, pattern);
  });
}

test('an undefined key is refused by all but get', async (t) => {
  const db = await open(t);
  await refusesToWrite(db, () => db.write('t', undefined, 1), 'ERR_CAIRN_INVALID_KEY', /not a string/);
  for (const method of ['delete', 'has', 'getRecord']) await rejects(() => db[method]('t'), 'ERR_CAIRN_INVALID_KEY');
  throws(() => db.getSync('t'), 'ERR_CAIRN_INVALID_KEY');
});

test('getMany refuses what is not a list of keys', async (t) => {
  const db = await open(t);
  for (const keys of [undefined, 'ab', new Set(['a']), { length: 0 }]) {
    await rejects(() => db.getMany('t', keys), 'ERR_CAIRN_INVALID_KEY', /array/);
  }
  await rejects(() => db.getMany('t', Object.assign(['a'], { 2: 'b' })), 'ERR_CAIRN_INVALID_KEY', /undefined/);
});

test('keys of every kind work, up to 1024 bytes, also after reopening', async (t) => {
  const keys = [
    'k'.repeat(1024),
    'é'.repeat(512),
    '鍵'.repeat(341),
    '\u{1F600}'.repeat(256),
    ' ',
    '\n',
    '../x',
    '\u0080',
    '__proto__',
  ];
  const first = await open(t);
  for (const [index, key] of keys.entries()) await first.write('t', key, index);
  const second = await reopen(t, first);
  for (const [index, key] of keys.entries()) assert.equal(await second.get('t', key), index);
  assert.deepEqual(new Set((await second.get('t')).map(([key]) => key)), new Set(keys));
});
