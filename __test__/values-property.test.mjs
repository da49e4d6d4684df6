import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { open, reopen } from './helpers.mjs';
import { assertSame } from './same.mjs';

// Every UTF-16 code unit, so that halves of surrogate pairs are among them.
const text = fc
  .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 8 })
  .map((units) => String.fromCharCode(...units));
const key = fc.oneof(
  text,
  fc.constantFrom('__proto__', 'constructor', 'toString', '$date', '$map', '$object', '$', '0', '10', ''),
);

const object = (value) =>
  fc.uniqueArray(fc.tuple(key, value), { selector: ([name]) => name, maxLength: 5 }).map(Object.fromEntries);
const list = (value) => fc.array(value, { maxLength: 5 });

const bytes = fc.uint8Array({ maxLength: 20 });
const binary = fc.oneof(
  bytes,
  bytes.map((array) => Buffer.from(array)),
  bytes.map((array) => Uint8Array.from(array).buffer),
  bytes.map((array) => new DataView(Uint8Array.from(array).buffer)),
  fc.int8Array(),
  fc.uint8ClampedArray(),
  fc.int16Array(),
  fc.uint16Array(),
  fc.int32Array(),
  fc.uint32Array(),
  fc.float32Array(),
  fc.float64Array(),
  fc.bigInt64Array(),
  fc.bigUint64Array(),
);

const { anything } = fc.letrec((tie) => ({
  anything: fc.oneof(
    { depthSize: 'medium', withCrossShrink: true },
    text,
    fc.double(),
    fc.constantFrom(-0, Number.NaN, null, undefined, true, false),
    fc.integer(),
    fc.bigInt(),
    fc.date({ noInvalidDate: true }),
    binary,
    list(tie('anything')),
    object(tie('anything')),
    list(tie('anything')).map((items) => new Set(items)),
    list(fc.tuple(tie('anything'), tie('anything'))).map((entries) => new Map(entries)),
  ),
}));

const { json } = fc.letrec((tie) => ({
  json: fc.oneof(
    { depthSize: 'medium', withCrossShrink: true },
    text,
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number + 0),
    fc.constantFrom(null, true, false),
    list(tie('json')),
    object(tie('json')),
  ),
}));

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
