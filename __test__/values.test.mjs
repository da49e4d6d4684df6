import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runInNewContext } from 'node:vm';
import { open, reopen } from './helpers.mjs';
import { assertSame } from './same.mjs';

/** What comes back for `value`, from memory and from disk, which must be the same. */
async function roundTrip(t, value) {
  const first = await open(t);
  await first.write('t', 'k', value);
  const fromMemory = await first.get('t', 'k');
  const second = await reopen(t, first);
  const fromDisk = await second.get('t', 'k');
  assertSame(fromDisk, fromMemory);
  return fromDisk;
}

const shared = { deep: [1] };

/** Values that come back as they are. */
const SAME = {
  string: 'text',
  'empty string': '',
  'string with every kind of character': '\0\b\n\u001f"\\/\u007f\u2028é鍵\u{1F600}',
  'string with half of a surrogate pair': 'a\ud800b\udc00',
  'long string': 'x'.repeat(100_000),
  zero: 0,
  'negative zero': -0,
  integer: -42,
  fraction: 0.1,
  'largest number': Number.MAX_VALUE,
  'smallest number': Number.MIN_VALUE,
  'unsafe integer': 2 ** 63,
  NaN: Number.NaN,
  Infinity: Infinity,
  '-Infinity': -Infinity,
  true: true,
  false: false,
  null: null,
  bigint: 12_345_678_901_234_567_890n,
  'negative bigint': -1n,
  'empty object': {},
  'empty array': [],
  'nested object': { a: { b: { c: [1, { d: null }] } } },
  'object with integer keys': { 10: 'b', 9: 'a', x: 'c' },
  'object with an empty key': { '': 1 },
  'object with keys that need escapes': { '"\\\n\ud800': 1 },
  Date: new Date('2026-01-02T03:04:05.678Z'),
  'Date before the epoch': new Date(-1),
  'Date inside': { at: [new Date(0)] },
  'undefined member': { a: undefined, b: 1 },
  'undefined element': [1, undefined, 2],
  'odd numbers inside': { list: [Number.NaN, Infinity, -Infinity, -0, 0], n: { v: -0 } },
  'bigint inside': { list: [1n, { big: -(2n ** 100n) }] },
  Map: new Map([
    ['a', 1],
    ['b', { c: 2 }],
  ]),
  'Map with keys of any kind': new Map([
    [1, 'number'],
    ['1', 'string'],
    [null, undefined],
    [Number.NaN, new Map()],
    [1n, [new Date(1)]],
  ]),
  'empty Map': new Map(),
  Set: new Set([1, '1', null, undefined, Number.NaN, 2n]),
  'Set inside a Map inside a Set': new Set([new Map([['k', new Set([[]])]])]),
  'Buffer inside': { file: Buffer.from([0, 255, 128]) },
  'empty Buffer inside': [Buffer.alloc(0)],
  'typed arrays inside': [new Float64Array([-0, Number.NaN, 1.5]), { a: new BigInt64Array([-(2n ** 63n)]) }],
  'ArrayBuffer and DataView inside': [new Uint8Array([1, 2]).buffer, new DataView(new Uint8Array([3, 4]).buffer)],
  'object that looks like a tag': { $date: 0 },
  'object that looks like a tag, beside a tag': [{ $date: 0 }, new Date(0)],
  'object with a key of a dollar sign': { a: { $: new Date(0) } },
  'objects that look like wrappers': { $object: { $object: { $map: [Number.NaN] } } },
  'unknown tag': { x: { $nonsense: 1 }, y: 1n },
  'object with two keys of dollar signs': { $date: 0, $map: new Date(5) },
  'shared reference': [shared, shared],
};

for (const [name, value] of Object.entries(SAME)) {
  test(`comes back as it is: ${name}`, async (t) => {
    assertSame(await roundTrip(t, value), value);
  });
}

class Point {
  #hidden = 1;
  constructor(x, y) {
    this.x = x;
    this.y = y;
  }
  get length() {
    return Math.hypot(this.x, this.y) + this.#hidden;
  }
}

class Money {
  constructor(amount) {
    this.amount = amount;
  }
  toJSON(key) {
    return { [key || 'top']: `${this.amount} EUR` };
  }
}

class Stamp extends Date {}
class Registry extends Map {}

const symbol = Symbol('key');
const sparse = Object.assign([1], { 2: undefined, length: 4 });

/** Values that come back as something else, and as what. */
const CHANGED = {
  'class instance: its own members': [new Point(3, 4), { x: 3, y: 4 }],
  'inherited members are left out': [
    Object.create({ inherited: 1 }, { own: { value: 2, enumerable: true } }),
    { own: 2 },
  ],
  'members that are not enumerable are left out': [Object.defineProperty({ a: 1 }, 'b', { value: 2 }), { a: 1 }],
  'members under symbols are left out': [{ [symbol]: 1, a: { [symbol]: 2 } }, { a: {} }],
  'object without a prototype': [Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
  'result of toJSON': [new Money(5), { top: '5 EUR' }],
  'result of toJSON, which is given the key': [
    { price: new Money(5), list: [new Money(6)] },
    { price: { price: '5 EUR' }, list: [{ 0: '6 EUR' }] },
  ],
  'result of toJSON of a plain object': [{ a: { toJSON: () => 'replaced' } }, { a: 'replaced' }],
  'result of toJSON of an array': [Object.assign([1], { toJSON: () => 'list' }), 'list'],
  'result of toJSON that is a Date': [{ toJSON: () => new Date(7) }, new Date(7)],
  'result of toJSON that is undefined': [{ a: { toJSON: () => undefined } }, { a: undefined }],
  'URL: what its toJSON returns': [new URL('https://example.com/a'), 'https://example.com/a'],
  'toJSON that is no function is a member': [{ toJSON: 1 }, { toJSON: 1 }],
  'subclass of Date': [new Stamp(9), new Date(9)],
  'subclass of Map': [new Registry([[1, 2]]), new Map([[1, 2]])],
  'Error: its own enumerable members': [Object.assign(new Error('x'), { code: 'E' }), { code: 'E' }],
  'RegExp: nothing': [{ pattern: /x/g }, { pattern: {} }],
  'Promise: nothing': [[Promise.resolve(1)], [{}]],
  'wrapped primitives': [
    [Object(1), Object('s'), Object(false), Object(5n), Object(Number.NaN)],
    [1, 's', false, 5n, Number.NaN],
  ],
  'sparse array: null in its holes': [sparse, [1, null, undefined, null]],
  'array with further members: its elements': [Object.assign([1, 2], { extra: true }), [1, 2]],
  'Date of another realm': [runInNewContext('new Date(5)'), new Date(5)],
  'Map of another realm': [runInNewContext('new Map([[1, { a: [2] }]])'), new Map([[1, { a: [2] }]])],
  'object of another realm': [runInNewContext('({ a: [1, { b: 2 }] })'), { a: [1, { b: 2 }] }],
};

for (const [name, [value, expected]] of Object.entries(CHANGED)) {
  test(`comes back changed, as is written: ${name}`, async (t) => {
    assertSame(await roundTrip(t, value), expected);
  });
}

test('an invalid Date comes back as one, at any depth', async (t) => {
  const [db, invalid] = [await open(t), new Date(Number.NaN)];
  await db.write('t', 'k', invalid);
  await db.write('t', 'inside', { at: invalid });
  for (const back of [await db.get('t', 'k'), (await db.get('t', 'inside')).at]) {
    assert.ok(back instanceof Date);
    assert.equal(back.getTime(), Number.NaN);
  }
});

test('a value that JSON carries comes back as from JSON.parse(JSON.stringify())', async (t) => {
  const value = { s: 'é\ud800"', n: [1e21, 1e-7, -1.5, 0], b: [true, null], o: { 2: 'x', 1: 'y', $a: {}, $b: [] } };
  const text = JSON.stringify(value);
  assert.equal(JSON.stringify(await roundTrip(t, value)), text);
});

test('toJSON that returns its own object stores the members of it', async (t) => {
  const value = {
    a: 1,
    b: {
      c: 2,
      toJSON() {
        return this;
      },
    },
  };
  const db = await open(t);
  await assert.rejects(db.write('t', 'k', value), { code: 'ERR_CAIRN_INVALID_VALUE', message: /value\.b\.toJSON/ });
  Object.defineProperty(value.b, 'toJSON', { enumerable: false });
  await db.write('t', 'k', value);
  assert.deepEqual(await db.get('t', 'k'), { a: 1, b: { c: 2 } });
});

for (const extra of [{}, { odd: Number.NaN }]) {
  test(`a member named __proto__ is a member${'odd' in extra ? ', beside a tag too' : ''}`, async (t) => {
    const value = JSON.parse('{"__proto__": {"polluted": true, "list": [{"__proto__": 1}]}, "constructor": 2}');
    Object.assign(value, extra);
    const back = await roundTrip(t, value);
    assert.deepEqual(Object.keys(back), Object.keys(value));
    assert.equal(Object.getPrototypeOf(back), Object.prototype);
    assert.equal(back.polluted, undefined);
    const own = Object.getOwnPropertyDescriptor(back, '__proto__').value;
    assert.equal(own.polluted, true);
    assert.equal(Object.getOwnPropertyDescriptor(own.list[0], '__proto__').value, 1);
    assert.equal({}.polluted, undefined);
  });
}

test('a member named __proto__ whose value has a tag stays a member', async (t) => {
  const value = Object.defineProperty({}, '__proto__', { value: { at: new Date(3) }, enumerable: true });
  const back = await roundTrip(t, [value, 1n]);
  assert.deepEqual(Object.getOwnPropertyDescriptor(back[0], '__proto__').value, { at: new Date(3) });
  assert.equal(Object.getPrototypeOf(back[0]), Object.prototype);
});

test('keys keep their order', async (t) => {
  const value = { z: 1, a: Number.NaN, 5: 'five', m: { y: 1, b: 1n }, 1: 'one' };
  const back = await roundTrip(t, value);
  assert.deepEqual(Object.keys(back), ['1', '5', 'z', 'a', 'm']);
  assert.deepEqual(Object.keys(back.m), ['y', 'b']);
});

test('a getter is read once', async (t) => {
  const db = await open(t);
  let reads = 0;
  const value = {
    get counted() {
      reads += 1;
      return reads;
    },
    list: [Number.NaN, { $x: 1 }],
  };
  await db.write('t', 'k', value);
  assert.equal(reads, 1);
  assert.deepEqual(await db.get('t', 'k'), { counted: 1, list: [Number.NaN, { $x: 1 }] });
});

test('code of the user that runs during a write may use the database', async (t) => {
  const db = await open(t);
  const value = {
    toJSON() {
      db.write('t', 'inner', db.getSync('t', 'earlier'));
      return 'outer';
    },
  };
  const writes = [db.write('t', 'earlier', 1), db.write('t', 'outer', value), db.write('t', 'later', 2)];
  await Promise.all(writes);
  assert.deepEqual(await db.get('t'), [
    ['earlier', 1],
    ['inner', 1],
    ['later', 2],
    ['outer', 'outer'],
  ]);
});

test('a thousand levels of nesting come back', async (t) => {
  for (const [levels, wrap, seed] of [
    [1000, (inner) => [inner], 1],
    [1000, (inner) => ({ a: inner }), 1],
    [1000, (inner) => ({ a: inner }), Number.NaN],
    [500, (inner) => new Map([['k', inner]]), 1],
  ]) {
    const value = Array.from({ length: levels }).reduce(wrap, seed);
    assertSame(await roundTrip(t, value), value);
  }
});
