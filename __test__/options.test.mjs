import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { CairnDB } from 'cairndb';
import { newDirectory, open, rejects, throws } from './helpers.mjs';

const DICTIONARY = { deflate: { a: 'b' } };

const BAD_OPTIONS = [
  ['no options', undefined, /databaseDirectory/],
  ['null', null],
  ['a string in place of options', './data', /object/],
  ['no directory', {}, /databaseDirectory is undefined/],
  ['an empty directory', { databaseDirectory: '' }, /path of a directory/],
  ['a directory that is no string', { databaseDirectory: 7 }, /databaseDirectory is 7/],
  ['a directory with NUL', { databaseDirectory: 'a\0b' }, /no path/],
  ['a directory with half of a surrogate pair', { databaseDirectory: 'a\ud800' }, /no path/],
  ['an unknown option', { databaseDirectory: 'd', colour: 'red' }, /Unknown option "colour".*Known:.*durability/],
  ['a misspelt option', { databaseDirectory: 'd', durablity: 'os' }, /Did you mean "durability"/],
  ['the option name of old', { databaseDirectory: 'd', dictionary: {} }, /Did you mean "dictionaries"/],
  ['an unknown durability', { databaseDirectory: 'd', durability: 'fsync' }, /eventual, os, full/],
  ['a durability of the prototype', { databaseDirectory: 'd', durability: 'toString' }, /eventual, os, full/],
  ['durableWrites that is no boolean', { databaseDirectory: 'd', durableWrites: 1 }, /true or false/],
  [
    'durableWrites and another durability',
    { databaseDirectory: 'd', durableWrites: true, durability: 'os' },
    /same as/,
  ],
  ['mmap that is no boolean', { databaseDirectory: 'd', mmap: 'yes' }, /mmap is "yes"/],
  ['an integrity of another name', { databaseDirectory: 'd', integrity: 'md5' }, /give one of checksum, sha256/],
  ['a syncInterval of 0', { databaseDirectory: 'd', syncInterval: 0 }, /at least 1/],
  ['a flushInterval that is infinite', { databaseDirectory: 'd', flushInterval: Infinity }, /finite/],
  ['a negative reclaimDelay', { databaseDirectory: 'd', reclaimDelay: -1 }, /at least 0/],
  ['a reclaimDelay that is NaN', { databaseDirectory: 'd', reclaimDelay: Number.NaN }, /finite/],
  ['a reclaimDelay that is null', { databaseDirectory: 'd', reclaimDelay: null }, /null/],
  ['keepGenerations of 0', { databaseDirectory: 'd', keepGenerations: 0 }, /at least 1/],
  ['a fraction of keepGenerations', { databaseDirectory: 'd', keepGenerations: 1.5 }, /whole number/],
  ['too small memtableBytes', { databaseDirectory: 'd', memtableBytes: 1000 }, /65536/],
  ['an objectCache that is no count', { databaseDirectory: 'd', objectCache: true }, /objectCache is true/],
  ['memtableBytes as a string', { databaseDirectory: 'd', memtableBytes: '64MB' }, /"64MB"/],
  ['dictionaries that are no object', { databaseDirectory: 'd', dictionaries: [DICTIONARY] }, /an array/],
];

for (const [what, options, pattern] of BAD_OPTIONS) {
  test(`the constructor refuses ${what}`, () => {
    throws(() => new CairnDB(options), 'ERR_CAIRN_INVALID_OPTIONS', pattern);
    assert.equal(existsSync('d'), false);
  });
}

test('the constructor refuses a bad dictionary', () => {
  const make = (dictionary) => () => new CairnDB({ databaseDirectory: 'd', dictionaries: { short: dictionary } });
  throws(make({}), 'ERR_CAIRN_INVALID_DICTIONARY', /"short".*neither/);
  throws(make({ deflate: { a: 'x' }, inflate: { x: 'a' } }), 'ERR_CAIRN_INVALID_DICTIONARY', /both/);
});

test('CairnDB.open rejects in place of throwing', async (t) => {
  const directory = newDirectory(t);
  await rejects(() => CairnDB.open(), 'ERR_CAIRN_INVALID_OPTIONS', /databaseDirectory/);
  await rejects(() => CairnDB.open(directory, 'os'), 'ERR_CAIRN_INVALID_OPTIONS', /object/);
  await rejects(() => CairnDB.open(directory, { syncIntervall: 1 }), 'ERR_CAIRN_INVALID_OPTIONS', /syncInterval"/);
  await rejects(() => CairnDB.open(directory, { databaseDirectory: directory }), 'ERR_CAIRN_INVALID_OPTIONS', /twice/);
  assert.equal(existsSync(directory), false);
});

test('options that are undefined are those that are absent', async (t) => {
  const db = await open(t, {
    dictionaries: undefined,
    durableWrites: undefined,
    durability: undefined,
    syncInterval: undefined,
    mmap: undefined,
  });
  assert.equal(await db.write('t', 'k', 1), true);
});

const GOOD_OPTIONS = [
  { durableWrites: true },
  { durableWrites: false, durability: 'full' },
  { durableWrites: true, durability: 'full' },
  { durability: 'eventual', flushInterval: 1 },
  { durability: 'os', syncInterval: 1.5 },
  { reclaimDelay: 0, keepGenerations: 3 },
  { memtableBytes: 65_536 },
  { objectCache: 10 },
  { mmap: false },
  { access: 'exclusive', integrity: 'checksum' },
  { access: 'shared', integrity: 'sha256' },
];

for (const options of GOOD_OPTIONS) {
  test(`a database works with ${JSON.stringify(options)}`, async (t) => {
    const db = await open(t, options);
    assert.equal(await db.write('t', 'k', { a: 1 }), true);
    assert.deepEqual(await db.get('t', 'k'), { a: 1 });
    await db.close();
    await db.start();
    assert.deepEqual(await db.get('t', 'k'), { a: 1 });
  });
}

test('with integrity sha256 each commit takes the 35 bytes of its seal', async (t) => {
  const written = async (integrity) => {
    const db = await open(t, { integrity });
    await db.write('t', 'k', 0);
    const before = (await db.stats()).diskWrittenBytes;
    for (let n = 1; n <= 10; n += 1) await db.write('t', 'k', n);
    return (await db.stats()).diskWrittenBytes - before;
  };
  // The frames count the bytes that are not synced yet, in a byte more or less.
  const each = ((await written('sha256')) - (await written('checksum'))) / 10;
  assert.ok(each >= 35 && each < 37, `${each} bytes`);
});
