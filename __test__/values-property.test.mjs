import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { open, reopen } from './helpers.mjs';
import { assertSame } from './same.mjs';
import { anything, json, key } from './values.mjs';

test('every value comes back as it was, from memory and from disk', async (t) => {
  const first = await open(t);
  const values = fc.sample(anything, 1000).map((value) => (value === undefined ? null : value));
  await Promise.all(values.map((value, index) => first.write('t', `k${index}`, value)));
  for (const [index, value] of values.entries()) assertSame(first.getSync('t', `k${index}`), value);
  const second = await reopen(t, first);
  for (const [index, value] of values.entries()) assertSame(second.getSync('t', `k${index}`), value);
});

test('every value comes back as it was, and shrinks to the smallest that does not', async (t) => {
  const db = await open(t);
  await fc.assert(
    fc.asyncProperty(anything, async (value) => {
      await db.write('t', 'k', [value]);
      assertSame(await db.get('t', 'k'), [value]);
    }),
    { numRuns: 500 },
  );
});

test('what JSON carries comes back with the same text, keys in the same order', async (t) => {
  const db = await open(t);
  await fc.assert(
    fc.asyncProperty(json, async (value) => {
      await db.write('t', 'k', value);
      assert.equal(JSON.stringify(await db.get('t', 'k')), JSON.stringify(value));
    }),
    { numRuns: 500 },
  );
});

test('every value comes back as it was through a dictionary, whatever that maps', async (t) => {
  const dictionary = fc
    .uniqueArray(fc.tuple(key, key), {
      comparator: ([long, short], [otherLong, otherShort]) => long === otherLong || short === otherShort,
      maxLength: 6,
    })
    .map((pairs) => pairs.filter((pair) => pair.every((name) => name !== '' && name.isWellFormed())));
  const db = await open(t);
  await fc.assert(
    fc.asyncProperty(anything, dictionary, async (value, pairs) => {
      db.addDictionary('d', { deflate: Object.fromEntries(pairs) });
      await db.write('t', 'k', [value], { dictionary: 'd' });
      assertSame(await db.get('t', 'k'), [value]);
    }),
    { numRuns: 300 },
  );
});
