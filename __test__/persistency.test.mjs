// The interface of Persistency, member by member.

import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import * as esm from 'cairndb/persistency';
import { onEnd, throws } from './helpers.mjs';
import { contentOf, newFolder, open, openAt, reopen } from './persistency/helpers.mjs';

const { Persistency } = esm;
const cjs = createRequire(import.meta.url)('cairndb/persistency');

test('both kinds of modules export the class, and share a folder', (t) => {
  assert.deepEqual(Object.keys(esm).sort(), ['CairnError', 'Persistency']);
  assert.deepEqual(Object.keys(cjs).sort(), ['CairnError', 'Persistency']);
  const folder = newFolder(t);
  const one = openAt(t, folder);
  const two = new cjs.Persistency({ folder });
  onEnd(t, () => two.close());
  one.set('k', Buffer.from('v'));
  assert.equal(two.get('k').toString(), 'v');
});

test('set, get, count and delete, and again after opening anew', (t) => {
  const folder = newFolder(t);
  let store = openAt(t, folder);
  assert.equal(store.get('a'), null);
  assert.equal(store.count(), 0);
  assert.equal(store.set('a', Buffer.from('1')), undefined);
  store.set('b', Buffer.from([0, 255, 128]));
  store.set('a', Buffer.from('2'));
  for (const again of [false, true]) {
    if (again) store = reopen(t, store, folder);
    assert.equal(store.get('a').toString(), '2');
    assert.deepEqual(store.get('b'), Buffer.from([0, 255, 128]));
    assert.equal(store.count(), 2);
  }
  assert.equal(store.delete('a'), true);
  assert.equal(store.delete('a'), false);
  assert.equal(store.delete('never there'), false);
  for (const again of [false, true]) {
    if (again) store = reopen(t, store, folder);
    assert.equal(store.get('a'), null);
    assert.equal(store.count(), 1);
    assert.deepEqual([...store.cursor()], [['b', Buffer.from([0, 255, 128])]]);
  }
});

test('nothing is asynchronous: no call returns a promise', (t) => {
  const store = open(t);
  const results = [store.set('k', Buffer.from('v')), store.get('k'), store.delete('k'), store.count(), store.close()];
  assert.deepEqual(results, [undefined, Buffer.from('v'), true, 0, undefined]);
});

test('keys of every kind and length', (t) => {
  const folder = newFolder(t);
  const lengths = [1, 2, 1022, 1023, 1024, 5000, 100_000].map((length) => 'k'.repeat(length));
  const keys = [
    '',
    ' ',
    '=',
    '>',
    '\0',
    'a\0b',
    'ключ',
    '😀',
    '￿',
    ...lengths,
    'ж'.repeat(511),
    'ж'.repeat(512),
    `${'k'.repeat(4999)}l`,
  ];
  let store = openAt(t, folder);
  for (const key of keys) store.set(key, Buffer.from(`${key.length}:${key.slice(0, 9)}`));
  for (const again of [false, true]) {
    if (again) store = reopen(t, store, folder);
    assert.equal(store.count(), keys.length);
    assert.deepEqual(new Set([...store.cursor()].map(([key]) => key)), new Set(keys));
    for (const [key, value] of store.cursor()) assert.equal(value.toString(), `${key.length}:${key.slice(0, 9)}`);
    for (const key of keys) assert.equal(store.get(key).toString(), `${key.length}:${key.slice(0, 9)}`);
  }
  for (const key of keys) assert.equal(store.delete(key), true);
  assert.deepEqual([...store.cursor()], []);
});

test('keys that cannot be stored are refused by every method, and nothing is written', (t) => {
  const store = open(t);
  for (const key of [undefined, null, 5, Buffer.from('k'), {}, '\ud800', 'a\udfff']) {
    throws(() => store.set(key, Buffer.from('v')), 'ERR_CAIRN_INVALID_KEY');
    throws(() => store.get(key), 'ERR_CAIRN_INVALID_KEY');
    throws(() => store.delete(key), 'ERR_CAIRN_INVALID_KEY');
  }
  assert.equal(store.count(), 0);
});

test('values of every length are bytes, and come back as Buffers of their own', (t) => {
  const folder = newFolder(t);
  const values = [0, 1, 96, 97, 65_536, 300_000, 3_000_000].map((length) => Buffer.alloc(length, length % 251));
  let store = openAt(t, folder);
  for (const value of values) store.set(`${value.length}`, value);
  // The caller goes on using its memory.
  for (const value of values) value.fill(1);
  for (const again of [false, true]) {
    if (again) store = reopen(t, store, folder);
    for (const { length } of values) {
      const value = store.get(`${length}`);
      assert.ok(Buffer.isBuffer(value));
      assert.deepEqual(value, Buffer.alloc(length, length % 251));
      value.fill(2);
      assert.deepEqual(store.get(`${length}`), Buffer.alloc(length, length % 251));
    }
  }
});

test('other arrays of bytes and strings are stored as bytes', (t) => {
  const store = open(t);
  store.set('array', new Uint8Array([1, 2, 3]).subarray(1));
  store.set('string', 'čau');
  assert.deepEqual(store.get('array'), Buffer.from([2, 3]));
  assert.deepEqual(store.get('string'), Buffer.from('čau'));
});

test('what is no Buffer is refused, and nothing is written', (t) => {
  const store = open(t);
  for (const value of [undefined, null, 5, {}, [1], new Float64Array(1), new ArrayBuffer(1), new Date()]) {
    throws(() => store.set('k', value), 'ERR_CAIRN_INVALID_VALUE');
  }
  assert.equal(store.get('k'), null);
});

test('a value over the limit is refused, and the next one is not', (t) => {
  const store = open(t);
  throws(() => store.set('k', Buffer.alloc(512 * 1024 * 1024 + 1)), 'ERR_CAIRN_TOO_LARGE');
  store.set('k', Buffer.from('v'));
  assert.equal(store.get('k').toString(), 'v');
});

test('cursor() gives keys in the order of their bytes, and null at its end', (t) => {
  const store = open(t);
  for (const key of ['b', 'a', 'ž', '', '😀', '￿', 'ab']) store.set(key, Buffer.from(key));
  const cursor = store.cursor();
  const seen = [];
  let step = cursor.next();
  for (; !step.done; step = cursor.next()) seen.push(step.value);
  assert.equal(step.value, null);
  const keys = ['', 'a', 'ab', 'b', 'ž', '￿', '😀'];
  assert.deepEqual(
    seen,
    keys.map((key) => [key, Buffer.from(key)]),
  );
});

test('cursor() gives what there was at its first step, and can be left early', (t) => {
  const store = open(t);
  for (const key of ['a', 'b', 'c']) store.set(key, Buffer.from(key));
  const cursor = store.cursor();
  assert.deepEqual(cursor.next().value, ['a', Buffer.from('a')]);
  store.set('b', Buffer.from('changed'));
  store.delete('c');
  store.set('d', Buffer.from('d'));
  assert.deepEqual([...cursor].join(), 'b,b,c,c');
  for (const [key] of store.cursor()) {
    assert.equal(key, 'a');
    break;
  }
  assert.deepEqual([...contentOf(store).keys()], ['a', 'b', 'd']);
});

test('entriesFile, dataFile and reclaimDelay', (t) => {
  const folder = newFolder(t);
  const store = openAt(t, folder);
  assert.equal(store.entriesFile, join(folder, 'entries.db'));
  assert.equal(store.dataFile, join(folder, 'data.db'));
  assert.equal(store.reclaimDelay, 900_000);
  store.set('k', Buffer.from('v'));
  store.close();
  assert.deepEqual(readdirSync(folder), ['.cairndb']);
});

test('reclaimDelay, and reclaimTimeout as its older name', (t) => {
  for (const [options, expected] of [
    [{ reclaimDelay: 5 }, 5],
    [{ reclaimTimeout: 7 }, 7],
    [{ reclaimDelay: 5, reclaimTimeout: 7 }, 5],
    [{ reclaimDelay: undefined, reclaimTimeout: undefined }, 900_000],
    [{ reclaimDelay: 0 }, 0],
    [{ reclaimDelay: -5 }, 0],
    [{ reclaimTimeout: -1 }, 0],
    [{ reclaimDelay: Number.POSITIVE_INFINITY }, Number.POSITIVE_INFINITY],
  ]) {
    const store = open(t, options);
    assert.equal(store.reclaimDelay, expected);
    store.set('k', Buffer.from('v'));
    store.close();
  }
});

test('bad options are refused before anything is made', (t) => {
  const folder = newFolder(t);
  for (const options of [{}, { folder: '' }, { folder: undefined }, { folder: null }, undefined, null]) {
    assert.throws(() => new Persistency(options), new Error('Invalid folder'));
  }
  throws(() => new Persistency({ folder: 5 }), 'ERR_CAIRN_INVALID_OPTIONS', /path of a directory/);
  throws(() => new Persistency({ folder, reclaimDelay: '5' }), 'ERR_CAIRN_INVALID_OPTIONS', /milliseconds/);
  throws(() => new Persistency({ folder, reclaimDelay: Number.NaN }), 'ERR_CAIRN_INVALID_OPTIONS', /milliseconds/);
  throws(
    () => new Persistency({ folder, reclaimDelai: 5 }),
    'ERR_CAIRN_INVALID_OPTIONS',
    /Did you mean "reclaimDelay"/,
  );
  throws(() => new Persistency({ folder }, { now: () => 0 }), 'ERR_CAIRN_INVALID_OPTIONS', /second argument/);
  assert.deepEqual(readdirSync(folder), []);
});

test('a folder that is missing, or a file, is the error of the system', (t) => {
  const folder = newFolder(t);
  assert.throws(() => new Persistency({ folder: join(folder, 'missing') }), { code: 'ENOENT' });
  assert.equal(existsSync(join(folder, 'missing')), false);
  writeFileSync(join(folder, 'file'), 'x');
  assert.throws(() => new Persistency({ folder: join(folder, 'file') }), { code: 'ENOTDIR' });
});

test('files of other programs are refused with the texts of Persistency, and left alone', (t) => {
  for (const [name, text] of [
    ['data.db', 'Data file is not a persistency one'],
    ['entries.db', 'Entries file is not a persistency one'],
  ]) {
    for (const content of ['SQLite format 3', 'xy']) {
      const folder = newFolder(t);
      writeFileSync(join(folder, name), content);
      assert.throws(() => new Persistency({ folder }), new Error(text));
      assert.deepEqual(readdirSync(folder), [name]);
    }
  }
  const both = newFolder(t);
  writeFileSync(join(both, 'data.db'), 'other');
  writeFileSync(join(both, 'entries.db'), 'other');
  assert.throws(() => new Persistency({ folder: both }), new Error('Data file is not a persistency one'));
});

test('getAllocatedBlocks() has ranges as long as what is in use, which grow with it', (t) => {
  const store = open(t, { reclaimDelay: 0 });
  const inUse = () => {
    const { entries, data } = store.getAllocatedBlocks();
    return [...entries, ...data].reduce((sum, [start, end]) => {
      assert.equal(start, 0);
      assert.ok(end > start);
      return sum + end;
    }, 0);
  };
  const before = inUse();
  store.set('k', Buffer.alloc(1_000_000));
  assert.ok(inUse() >= before + 1_000_000);
  assert.deepEqual(Object.keys(store.getAllocatedBlocks()), ['entries', 'data']);
});

test('close() twice is once, and afterwards every method throws', (t) => {
  const store = open(t);
  store.set('k', Buffer.from('v'));
  const started = store.cursor();
  started.next();
  store.close();
  store.close();
  for (const call of [
    () => store.set('k', Buffer.from('w')),
    () => store.get('k'),
    () => store.delete('k'),
    () => store.count(),
    () => store.cursor().next(),
    () => started.next(),
    () => store.getAllocatedBlocks(),
  ]) {
    throws(call, 'ERR_CAIRN_CLOSED');
  }
});

test('every member of the class is in docs/from-persistency.md', () => {
  const page = readFileSync(new URL('../docs/from-persistency.md', import.meta.url), 'utf8');
  const members = Object.getOwnPropertyNames(Persistency.prototype).filter((name) => name !== 'constructor');
  assert.ok(members.length >= 9);
  for (const name of [...members, 'entriesFile', 'dataFile', 'reclaimDelay', 'reclaimTimeout', 'folder', 'context']) {
    assert.match(page, new RegExp(`^\\|[^|]*\`${name}\\b`, 'm'), name);
  }
});
