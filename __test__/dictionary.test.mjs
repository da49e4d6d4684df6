import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { CairnDB } from 'cairndb';
import { alsoReopened, newDirectory, open, openAt, throws } from './helpers.mjs';

const READING = { deflate: { sensor: 's', temperature: 't', location: 'l' } };
const VALUE = {
  sensor: 'A',
  readings: [{ temperature: 21.5 }, { temperature: 22, note: 'x' }],
  location: { sensor: 1 },
};

test('a value comes back with its long keys, at every depth', async (t) => {
  const first = await open(t, { dictionaries: { reading: READING } });
  await first.write('t', 'positional', VALUE, undefined, 'reading');
  await first.write('t', 'option', VALUE, { dictionary: 'reading' });
  for await (const db of alsoReopened(t, first)) {
    for (const key of ['positional', 'option']) {
      assert.deepEqual(await db.get('t', key), VALUE);
      assert.equal((await db.getRecord('t', key)).dictionaryName, 'reading');
    }
    assert.deepEqual(await db.getMany('t', ['option']), [VALUE]);
    assert.deepEqual((await db.get('t'))[0][1], VALUE);
  }
});

test('a dictionary may be given as inflate', async (t) => {
  const db = await open(t, { dictionaries: { reading: { inflate: { s: 'sensor', t: 'temperature' } } } });
  await db.write('t', 'k', VALUE, { dictionary: 'reading' });
  assert.deepEqual(await db.get('t', 'k'), VALUE);
});

test('what is stored has the short keys', async (t) => {
  for (const dictionary of [{ deflate: { temperature: 't' } }, { inflate: { t: 'temperature' } }]) {
    const db = await open(t, { dictionaries: { d: dictionary } });
    await db.write('t', 'k', { temperature: 1 }, { dictionary: 'd' });
    const files = readdirSync(db.directory).filter((name) => name.endsWith('.journal'));
    const journal = Buffer.concat(files.map((name) => readFileSync(join(db.directory, name)))).toString('latin1');
    // The long one is in the dictionary alone, the short one is in the shape too.
    assert.deepEqual([journal.split('temperature').length - 1, journal.split('\x01t').length - 1], [1, 2 + 1]);
  }
});

test('records are read right by an instance that has no dictionary, or another one of that name', async (t) => {
  const writer = await open(t, { dictionaries: { d: { deflate: { sensor: 'A', temperature: 'B' } } } });
  const value = { sensor: 1, temperature: 2, A: undefined };
  delete value.A;
  await writer.write('t', 'k', value, { dictionary: 'd' });
  const without = await openAt(t, writer.directory);
  const swapped = await openAt(t, writer.directory, {
    dictionaries: { d: { deflate: { temperature: 'A', sensor: 'B' } } },
  });
  for (const db of [without, swapped]) assert.deepEqual(await db.get('t', 'k'), value);
  await swapped.write('t', 'other', value, { dictionary: 'd' });
  for (const db of [writer, without, swapped]) {
    assert.deepEqual(await db.get('t', 'k'), value);
    assert.deepEqual(await db.get('t', 'other'), value);
  }
});

test('a dictionary that is changed or removed leaves the records of before as they were', async (t) => {
  const first = await open(t, { dictionaries: { d: { deflate: { name: 'n' } } } });
  await first.write('t', 'one', { name: 1, other: 1 }, { dictionary: 'd' });
  first.addDictionary('d', { deflate: { other: 'n' } });
  await first.write('t', 'two', { name: 2, other: 2 }, { dictionary: 'd' });
  assert.equal(first.removeDictionary('d'), true);
  await assert.rejects(first.write('t', 'three', {}, { dictionary: 'd' }), { code: 'ERR_CAIRN_UNKNOWN_DICTIONARY' });
  for await (const db of alsoReopened(t, first)) {
    assert.deepEqual(await db.get('t', 'one'), { name: 1, other: 1 });
    assert.deepEqual(await db.get('t', 'two'), { name: 2, other: 2 });
    assert.equal((await db.getRecord('t', 'one')).dictionaryName, 'd');
  }
});

const COLLIDING = {
  'a key of the value is a short one': { sensor: 'A', s: 'B' },
  'the short key alone': { s: 'B' },
  'names of the prototype': { constructor: 'acme', toString: 1, hasOwnProperty: null, valueOf: [] },
  'a member named __proto__': JSON.parse('{"__proto__": {"sensor": 1}, "sensor": 2}'),
  'keys that look like tags': { $date: 0, sensor: { $map: [] } },
  'tags beside them': { sensor: new Date(0), temperature: [new Map([[{ sensor: 1 }, Number.NaN]])] },
};

for (const [what, value] of Object.entries(COLLIDING)) {
  test(`nothing is lost or garbled: ${what}`, async (t) => {
    const first = await open(t, { dictionaries: { reading: READING } });
    await first.write('t', 'k', value, { dictionary: 'reading' });
    for await (const db of alsoReopened(t, first)) {
      const back = await db.get('t', 'k');
      assert.deepEqual(back, value);
      assert.deepEqual(Object.keys(back), Object.keys(value));
    }
  });
}

test('a dictionary may map names of the prototype, and names of tags', async (t) => {
  const deflate = JSON.parse(
    '{"__proto__": "p", "constructor": "c", "toString": "__proto__", "$date": "d", "x": "$map"}',
  );
  const db = await open(t, { dictionaries: { odd: { deflate } } });
  const value = JSON.parse('{"__proto__": 1, "constructor": 2, "toString": 3, "$date": 4, "x": 5}');
  for (const stored of [value, { inner: value, at: new Date(0) }, { x: 1 }, [{ x: 1 }, new Date(1)]]) {
    await db.write('t', 'k', stored, { dictionary: 'odd' });
    assert.deepEqual(await db.get('t', 'k'), stored);
  }
});

test('values without keys are as they are', async (t) => {
  const db = await open(t, { dictionaries: { reading: READING } });
  for (const value of ['sensor', 5, null, [], ['sensor'], { other: 'sensor' }, 5n, new Date(0)]) {
    await db.write('t', 'k', value, { dictionary: 'reading' });
    assert.deepEqual(await db.get('t', 'k'), value);
  }
});

test('nesting as deep as is allowed goes through a dictionary', async (t) => {
  const db = await open(t, { dictionaries: { reading: READING } });
  const value = Array.from({ length: 1000 }).reduce((sensor) => ({ sensor }), 'x');
  await db.write('t', 'k', value, { dictionary: 'reading' });
  let node = await db.get('t', 'k');
  for (let level = 0; level < 1000; level += 1) node = node.sensor;
  assert.equal(node, 'x');
});

test('each instance has dictionaries of its own', async (t) => {
  const one = await open(t, { dictionaries: { a: READING, b: READING } });
  const two = await openAt(t, one.directory, { dictionaries: { c: READING } });
  assert.deepEqual(one.listDictionaries(), ['a', 'b']);
  assert.deepEqual(two.listDictionaries(), ['c']);
  await assert.rejects(two.write('t', 'k', 1, { dictionary: 'a' }), { code: 'ERR_CAIRN_UNKNOWN_DICTIONARY' });
});

test('addDictionary adds or replaces, removeDictionary tells whether there was one', (t) => {
  const db = new CairnDB({ databaseDirectory: newDirectory(t) });
  assert.deepEqual(db.listDictionaries(), []);
  assert.equal(db.addDictionary('a', READING), undefined);
  assert.equal(db.addDictionary('a', { inflate: { x: 'y' } }), undefined);
  assert.deepEqual(db.listDictionaries(), ['a']);
  assert.equal(db.removeDictionary('a'), true);
  assert.equal(db.removeDictionary('a'), false);
  assert.equal(db.removeDictionary('toString'), false);
  assert.deepEqual(db.listDictionaries(), []);
});

test('a dictionary that is changed after it was added is as it was', async (t) => {
  const deflate = { name: 'n' };
  const db = await open(t, { dictionaries: { d: { deflate } } });
  deflate.name = 7;
  deflate.other = 'n';
  await db.write('t', 'k', { name: 1, other: 2 }, { dictionary: 'd' });
  assert.deepEqual(await db.get('t', 'k'), { name: 1, other: 2 });
});

test('dictionaries stay when the instance is closed and started again', async (t) => {
  const db = await open(t, { dictionaries: { d: READING } });
  await db.close();
  await db.start();
  await db.write('t', 'k', VALUE, { dictionary: 'd' });
  assert.deepEqual(await db.get('t', 'k'), VALUE);
});

const BAD_DICTIONARIES = [
  ['undefined', undefined, /not an object/],
  ['null', null, /not an object/],
  ['an array', [], /not an object/],
  ['neither direction', {}, /neither/],
  ['both undefined', { deflate: undefined, inflate: undefined }, /neither/],
  ['both directions', { deflate: { a: 'b' }, inflate: { b: 'a' } }, /both/],
  ['an unknown member', { deflate: {}, inflat: {} }, /"inflat".*"inflate"/],
  ['a mapping that is no object', { deflate: 'a' }, /deflate of Dictionary "d"/],
  ['a mapping that is an array', { deflate: ['a'] }, /an array/],
  ['null as the mapping', { inflate: null }, /null/],
  ['a number as the short key', { deflate: { a: 1 } }, /"a" to 1/],
  ['an object as the long key', { inflate: { a: {} } }, /an object/],
  ['an empty short key', { deflate: { a: '' } }, /empty/],
  ['an empty long key', { deflate: { '': 'a' } }, /empty/],
  ['two long keys with one short one', { deflate: { a: 'x', b: 'x' } }, /both "a" and "b" to "x".*one-to-one/],
  ['two short keys with one long one', { inflate: { a: 'x', b: 'x' } }, /both "a" and "b" to "x".*one-to-one/],
  ['half of a surrogate pair', { deflate: { a: '\ud800' } }, /surrogate/],
];

for (const [what, dictionary, pattern] of BAD_DICTIONARIES) {
  test(`a dictionary is refused: ${what}`, (t) => {
    const databaseDirectory = newDirectory(t);
    const db = new CairnDB({ databaseDirectory });
    throws(() => db.addDictionary('d', dictionary), 'ERR_CAIRN_INVALID_DICTIONARY', pattern);
    assert.deepEqual(db.listDictionaries(), []);
    const dictionaries = { d: dictionary };
    throws(() => new CairnDB({ databaseDirectory, dictionaries }), 'ERR_CAIRN_INVALID_DICTIONARY', pattern);
  });
}

test('a dictionary that is refused leaves the one of its name in place', async (t) => {
  const db = await open(t, { dictionaries: { d: READING } });
  throws(() => db.addDictionary('d', {}), 'ERR_CAIRN_INVALID_DICTIONARY');
  await db.write('t', 'k', VALUE, { dictionary: 'd' });
  assert.deepEqual(await db.get('t', 'k'), VALUE);
});

for (const name of ['', 7, undefined, null, 'x'.repeat(256), 'a\ud800']) {
  test(`a name of a dictionary is refused: ${String(name).slice(0, 10)}`, (t) => {
    const db = new CairnDB({ databaseDirectory: newDirectory(t) });
    throws(() => db.addDictionary(name, READING), 'ERR_CAIRN_INVALID_DICTIONARY', /name/);
  });
}
