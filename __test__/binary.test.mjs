import assert from 'node:assert/strict';
import { test } from 'node:test';
import { alsoReopened, open, refusesToWrite, rejects, reopen } from './helpers.mjs';

const numbers = [0, 1, 127, 128, 255];
const VALUES = {
  Buffer: Buffer.from(numbers),
  'empty Buffer': Buffer.alloc(0),
  Uint8Array: Uint8Array.from(numbers),
  'empty Uint8Array': new Uint8Array(),
  Int8Array: Int8Array.from([-128, 127]),
  Uint8ClampedArray: Uint8ClampedArray.from([0, 300]),
  Uint16Array: Uint16Array.from([1, 65_535]),
  Int16Array: Int16Array.from([-32_768, 5]),
  Uint32Array: Uint32Array.from([2 ** 32 - 1, 1]),
  Int32Array: Int32Array.from([-(2 ** 31), 1]),
  Float32Array: Float32Array.from([0.5, -0, Number.NaN, Infinity]),
  Float64Array: Float64Array.from([0.1, -0, Number.NaN, -Infinity, Number.MIN_VALUE]),
  BigUint64Array: BigUint64Array.from([2n ** 64n - 1n]),
  BigInt64Array: BigInt64Array.from([-(2n ** 63n), 1n]),
  DataView: new DataView(Uint8Array.from([1, 2, 3]).buffer),
  ArrayBuffer: Uint8Array.from([1, 2, 3]).buffer,
  'empty ArrayBuffer': new ArrayBuffer(0),
};

for (const [name, value] of Object.entries(VALUES)) {
  test(`comes back with its type: ${name}`, async (t) => {
    const first = await open(t);
    await first.write('t', 'k', value);
    for await (const db of alsoReopened(t, first)) {
      for (const back of [await db.get('t', 'k'), (await db.getRecord('t', 'k')).value, (await db.get('t'))[0][1]]) {
        assert.equal(Object.getPrototypeOf(back), Object.getPrototypeOf(value));
        assert.deepEqual(back, value);
      }
    }
  });
}

test('a view of a part stores that part', async (t) => {
  const db = await open(t);
  const { buffer } = Float64Array.from([1, 2, 3, 4]);
  await db.write('t', 'floats', new Float64Array(buffer, 8, 2));
  await db.write('t', 'view', new DataView(buffer, 8, 8));
  await db.write('t', 'buffer', Buffer.from('abcdef').subarray(2, 4));
  assert.deepEqual(await db.get('t', 'floats'), Float64Array.from([2, 3]));
  assert.equal((await db.get('t', 'view')).getFloat64(0, true), 2);
  assert.equal((await db.get('t', 'view')).byteLength, 8);
  assert.equal((await db.get('t', 'buffer')).toString(), 'cd');
});

test('bytes are those of the time of the call', async (t) => {
  const db = await open(t);
  for (const [key, bytes] of Object.entries({ buffer: Buffer.from([1]), array: Uint16Array.of(1) })) {
    const written = db.write('t', key, bytes);
    bytes[0] = 2;
    await written;
    assert.equal((await db.get('t', key))[0], 1);
  }
});

test('bytes that were read can be changed, and nothing stored changes', async (t) => {
  const db = await open(t);
  await db.write('t', 'k', Buffer.from([1, 2]));
  (await db.get('t', 'k'))[0] = 9;
  db.getSync('t', 'k')[0] = 9;
  await db.flush();
  (await db.get('t', 'k'))[0] = 9;
  assert.deepEqual(await db.get('t', 'k'), Buffer.from([1, 2]));
});

test('a typed array that was read lies on memory of its own', async (t) => {
  const db = await open(t);
  await db.write('t', 'k', Uint32Array.of(1, 2));
  const { buffer, byteOffset } = await db.get('t', 'k');
  assert.equal(byteOffset, 0);
  assert.equal(buffer.byteLength, 8);
});

test('a SharedArrayBuffer comes back as an ArrayBuffer, and views of one on an ArrayBuffer', async (t) => {
  const db = await open(t);
  const buffer = new SharedArrayBuffer(2);
  new Uint8Array(buffer).set([1, 2]);
  await db.write('t', 'buffer', buffer);
  await db.write('t', 'view', new Uint16Array(buffer));
  assert.deepEqual(await db.get('t', 'buffer'), Uint8Array.of(1, 2).buffer);
  assert.deepEqual(await db.get('t', 'view'), new Uint16Array(Uint8Array.of(1, 2).buffer));
});

test('a subclass of a typed array comes back as that typed array', async (t) => {
  class Pixels extends Uint16Array {}
  const db = await open(t);
  await db.write('t', 'k', Pixels.of(1, 2));
  await db.write('t', 'inside', [Pixels.of(3)]);
  assert.deepEqual(await db.get('t', 'k'), Uint16Array.of(1, 2));
  assert.deepEqual(await db.get('t', 'inside'), [Uint16Array.of(3)]);
});

test('a typed array of a kind that cannot be stored is refused', async (t) => {
  // A Float16Array where there is one, else something that calls itself a view of an unknown kind.
  const Unknown = globalThis.Float16Array;
  const value = Unknown ? new Unknown(1) : detached();
  const db = await open(t);
  await refusesToWrite(db, () => db.write('t', 'k', { a: value }), 'ERR_CAIRN_INVALID_VALUE', /^value\.a/);
  await refusesToWrite(db, () => db.write('t', 'k', value), 'ERR_CAIRN_INVALID_VALUE', /^value /);
});

function detached() {
  const buffer = new ArrayBuffer(8);
  structuredClone(buffer, { transfer: [buffer] });
  return buffer;
}

test('an ArrayBuffer that was transferred is refused', async (t) => {
  const db = await open(t);
  await refusesToWrite(db, () => db.write('t', 'k', detached()), 'ERR_CAIRN_INVALID_VALUE', /^value could not be read/);
  await refusesToWrite(
    db,
    () => db.write('t', 'k', [detached()]),
    'ERR_CAIRN_INVALID_VALUE',
    /^value\[0\] could not be read/,
  );
});

test('a dictionary leaves bytes alone', async (t) => {
  const db = await open(t, { dictionaries: { d: { deflate: { a: 'b' } } } });
  await db.write('t', 'k', Buffer.from('{"a":1}'), { dictionary: 'd' });
  assert.equal((await db.get('t', 'k')).toString(), '{"a":1}');
  assert.equal((await db.getRecord('t', 'k')).dictionaryName, 'd');
});

test('a value of many megabytes comes back', async (t) => {
  const first = await open(t);
  const bytes = Buffer.alloc(20_000_001, 'cairn');
  const text = '鍵"'.repeat(2_000_000);
  await Promise.all([
    first.write('t', 'bytes', bytes),
    first.write('t', 'text', { text }),
    first.write('t', 'small', 1),
  ]);
  const second = await reopen(t, first);
  assert.ok(bytes.equals(await second.get('t', 'bytes')));
  assert.ok((await second.get('t', 'text')).text === text);
  assert.equal(await second.get('t', 'small'), 1);
});

test('a value over the limit is refused, and what was gathered with it is written', async (t) => {
  const db = await open(t);
  const tooLarge = Buffer.alloc(512 * 1024 * 1024 + 1);
  const before = db.write('t', 'before', 1);
  await rejects(() => db.write('t', 'k', tooLarge), 'ERR_CAIRN_TOO_LARGE', /536870913 bytes.*536870912/);
  await before;
  const batch = [
    { type: 'put', table: 't', key: 'small', value: 1 },
    { type: 'put', table: 't', key: 'k', value: tooLarge },
  ];
  await rejects(() => db.batch(batch), 'ERR_CAIRN_TOO_LARGE');
  await db.write('t', 'after', 2);
  assert.deepEqual(await db.get('t'), [
    ['after', 2],
    ['before', 1],
  ]);
});
