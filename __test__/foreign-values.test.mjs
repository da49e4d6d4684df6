import assert from 'node:assert/strict';
import { test } from 'node:test';
import { open, rejects, throws, writeRaw } from './helpers.mjs';

const [JSON_TEXT, PACKED] = [1, 2];

const CASES = [
  ['a kind that this version does not know', 3, 'x', 'ERR_CAIRN_UNSUPPORTED', /kind 3/],
  [
    'an element type that this version does not know',
    PACKED,
    [5, 0xdf, 14, 2, 1, 2],
    'ERR_CAIRN_UNSUPPORTED',
    /element type 14/,
  ],
  [
    'elements that are cut off',
    PACKED,
    [6, 0xdf, 9, 3, 1, 2, 3],
    'ERR_CAIRN_UNSUPPORTED',
    /element type 9 with 3 bytes/,
  ],
  ['text that is not JSON', JSON_TEXT, '{"a":', 'ERR_CAIRN_CORRUPT', /not JSON/],
];

for (const [what, kind, content, code, pattern] of CASES) {
  test(`a stored value is refused, not guessed: ${what}`, async (t) => {
    const db = await open(t);
    await writeRaw(t, db.directory, kind, content);
    for (const method of ['get', 'getRecord']) await rejects(() => db[method]('t', 'k'), code, pattern);
    throws(() => db.getSync('t', 'k'), code, pattern);
    await rejects(() => db.getMany('t', ['k']), code, pattern);
    await rejects(() => db.get('t'), code, pattern);
    assert.equal(await db.has('t', 'k'), true);
    await db.write('t', 'k', 'replaced');
    assert.equal(await db.get('t', 'k'), 'replaced');
  });
}

const MALFORMED = [
  ['no bytes', []],
  ['a head that is cut off', [2, 0xd8]],
  ['a token too many', [2, 0xc0, 0xc0]],
  ['a character too many', [1, 0xc0, 0x61]],
  ['characters that are not there', [1, 0x82, 0x61]],
  ['half a character', [1, 0x81, 0xc3]],
  ['a shape that is not there', [3, 0xd9, 5, 1]],
  ['digits that are none', [2, 0xcf, 2, 0x31, 0x78]],
  ['a count that cannot be', [6, 0xd8, 0xff, 0xff, 0xff, 0xff, 0x0f]],
];

for (const [what, content] of MALFORMED) {
  test(`a packed value is refused before it is written: ${what}`, async (t) => {
    const db = await open(t);
    await assert.rejects(writeRaw(t, db.directory, PACKED, content), { code: 'ERR_CAIRN_INVALID_VALUE' });
    assert.deepEqual(db.listTables(), []);
  });
}

test('JSON that another program wrote is read', async (t) => {
  const db = await open(t);
  await writeRaw(t, db.directory, JSON_TEXT, '{"a":[1,"é"]}');
  assert.deepEqual(await db.get('t', 'k'), { a: [1, 'é'] });
  assert.deepEqual(await db.get('t'), [['k', { a: [1, 'é'] }]]);
});
