import assert from 'node:assert/strict';
import { test } from 'node:test';
import { open, refusesToWrite } from './helpers.mjs';

const cyclic = { items: [{ ok: 1 }] };
cyclic.items.push({ back: cyclic });
const cyclicMap = new Map();
cyclicMap.set('self', { map: cyclicMap });
const cyclicList = [];
cyclicList.push(cyclicList);

const broken = new Error('broken on purpose');
const fails = () => {
  throw broken;
};

const BAD_VALUES = [
  ['undefined', undefined, /^value is undefined.*null/],
  ['a function', () => 1, /^value is a function/],
  ['a symbol', Symbol('s'), /^value is a symbol/],
  ['a class', class {}, /^value is a function/],
  ['a function inside', { items: [0, 0, 0, { price: () => 1 }] }, /^value\.items\[3\]\.price is a function/],
  ['a symbol inside', [[Symbol('s')]], /^value\[0\]\[0\] is a symbol/],
  ['a method', { name: 'x', greet() {} }, /^value\.greet is a function/],
  ['a function under an odd key', { 'a b': { '': () => 1 } }, /^value\["a b"\]\[""\] is a function/],
  [
    'a function in a Map',
    {
      prices: new Map([
        ['a', 1],
        ['b', () => 1],
      ]),
    },
    /^value\.prices\[1\]\[1\] is a function/,
  ],
  ['a symbol as a key of a Map', new Map([[Symbol('s'), 1]]), /^value\[0\]\[0\] is a symbol/],
  ['a function in a Set', new Set([1, () => 1]), /^value\[1\] is a function/],
  ['a function from toJSON', { a: { toJSON: () => () => 1 } }, /^value\.a is a function/],
  ['undefined from toJSON', { toJSON: () => undefined }, /^value is undefined/],
  ['a wrapped symbol', { a: Object(Symbol('s')) }, /^value\.a is a symbol/],
  ['a cycle', cyclic, /^value\.items\[1\]\.back refers back to value,/],
  ['a cycle through a Map', { m: cyclicMap }, /^value\.m\[0\]\[1\]\.map refers back to value\.m,/],
  ['a cycle of one array', cyclicList, /^value\[0\] refers back to value,/],
  ['a cycle through toJSON', { a: { toJSON: () => cyclic } }, /^value\.a\.items\[1\]\.back refers back to value\.a,/],
  [
    'a getter that throws',
    {
      a: [
        {
          get b() {
            return fails();
          },
        },
      ],
    },
    /^value\.a\[0\]\.b could not be read \(broken on purpose\)/,
  ],
  ['a toJSON that throws', { a: { toJSON: fails } }, /^value\.a could not be read \(broken on purpose\)/],
  ['a toJSON that throws at the top', { toJSON: fails }, /^value could not be read \(broken on purpose\)/],
  [
    'a proxy that throws',
    { p: new Proxy({}, { ownKeys: fails }) },
    /^value\.p could not be read \(broken on purpose\)/,
  ],
  ['an endless toJSON', endless(), /^value.* is nested deeper than 1000 /],
];

function endless() {
  return { toJSON: () => ({ next: endless() }) };
}

for (const [what, value, pattern] of BAD_VALUES) {
  test(`a value is refused: ${what}`, async (t) => {
    const db = await open(t);
    await refusesToWrite(db, () => db.write('t', 'k', value), 'ERR_CAIRN_INVALID_VALUE', pattern);
    const batch = [
      { type: 'put', table: 't', key: 'good', value: 1 },
      { type: 'put', table: 't', key: 'k', value },
    ];
    const inBatch = new RegExp(`^Operation 1 of the batch: ${pattern.source.slice(1)}`);
    await refusesToWrite(db, () => db.batch(batch), 'ERR_CAIRN_INVALID_VALUE', inBatch);
  });
}

test('an error of the user is the cause of the refusal', async (t) => {
  const db = await open(t);
  await assert.rejects(db.write('t', 'k', { a: { toJSON: fails } }), { name: 'CairnError', cause: broken });
});

test('1001 levels of nesting are refused, with a path that stays short', async (t) => {
  const db = await open(t);
  for (const wrap of [(inner) => [inner], (inner) => ({ member: inner }), (inner) => new Map([[inner, 1]])]) {
    const value = Array.from({ length: 1001 }).reduce(wrap, 1);
    await refusesToWrite(
      db,
      () => db.write('t', 'k', value),
      'ERR_CAIRN_INVALID_VALUE',
      /^.{20,300}…? is nested deeper than 1000/,
    );
  }
});

test('depths that no stack could hold are refused, and no stack overflows', async (t) => {
  const db = await open(t);
  const value = Array.from({ length: 200_000 }).reduce((inner) => [inner], 1);
  await refusesToWrite(db, () => db.write('t', 'k', value), 'ERR_CAIRN_INVALID_VALUE', /nested deeper than 1000/);
});

test('a refused value leaves the record and the writes around it alone', async (t) => {
  const db = await open(t);
  await db.write('t', 'k', 'before');
  const [first, refused, last] = await Promise.allSettled([
    db.write('t', 'a', 1),
    db.write('t', 'k', { a: () => 1 }),
    db.write('t', 'b', 2),
  ]);
  assert.deepEqual([first.status, refused.status, last.status], ['fulfilled', 'rejected', 'fulfilled']);
  assert.deepEqual(await db.get('t'), [
    ['a', 1],
    ['b', 2],
    ['k', 'before'],
  ]);
  assert.equal((await db.getRecord('t', 'k')).version, 1);
});
