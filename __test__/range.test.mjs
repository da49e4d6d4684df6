import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { alsoReopened, collect, open, rejects, turnsDuring } from './helpers.mjs';

const KEYS = ['a', 'aa', 'ab', 'b', 'ba', 'c'];

async function letters(t) {
  const db = await open(t);
  await Promise.all([...KEYS].reverse().map((key) => db.write('t', key, key.toUpperCase())));
  return db;
}

const CASES = [
  [undefined, KEYS],
  [{}, KEYS],
  [{ gte: 'ab' }, ['ab', 'b', 'ba', 'c']],
  [{ gt: 'ab' }, ['b', 'ba', 'c']],
  [{ lte: 'ab' }, ['a', 'aa', 'ab']],
  [{ lt: 'ab' }, ['a', 'aa']],
  [{ gte: 'ab', lt: 'c' }, ['ab', 'b', 'ba']],
  [{ gt: 'a', lte: 'b' }, ['aa', 'ab', 'b']],
  [{ gte: 'abc', lte: 'az' }, []],
  [{ gte: 'b', lte: 'b' }, ['b']],
  [{ gt: 'b', lt: 'b' }, []],
  [{ gte: 'c', lte: 'a' }, []],
  [{ prefix: 'a' }, ['a', 'aa', 'ab']],
  [{ prefix: '' }, KEYS],
  [{ prefix: 'x' }, []],
  [{ prefix: 'a', gt: 'a' }, ['aa', 'ab']],
  [{ prefix: 'a', lt: 'ab', gte: 'A' }, ['a', 'aa']],
  [{ gte: '' }, KEYS],
  [{ limit: 2 }, ['a', 'aa']],
  [{ limit: 0 }, []],
  [{ limit: 100 }, KEYS],
  [{ reverse: true }, [...KEYS].reverse()],
  [{ reverse: false }, KEYS],
  [{ reverse: true, limit: 2 }, ['c', 'ba']],
  [{ reverse: true, prefix: 'a' }, ['ab', 'aa', 'a']],
  [{ reverse: true, gte: 'aa', lt: 'b' }, ['ab', 'aa']],
  [{ reverse: true, lte: 'b', limit: 1 }, ['b']],
  [{ gte: undefined, limit: undefined, reverse: undefined }, KEYS],
];

for (const [range, expected] of CASES) {
  test(`range ${JSON.stringify(range)}`, async (t) => {
    const first = await letters(t);
    for await (const db of alsoReopened(t, first)) {
      assert.deepEqual(await collect(db.keys('t', range)), expected);
      assert.deepEqual(
        await collect(db.entries('t', range)),
        expected.map((key) => [key, key.toUpperCase()]),
      );
      assert.deepEqual(
        await collect(db.values('t', range)),
        expected.map((key) => key.toUpperCase()),
      );
      assert.deepEqual([...db.keysSync('t', range)], expected);
      assert.deepEqual(
        [...db.entriesSync('t', range)],
        expected.map((key) => [key, key.toUpperCase()]),
      );
      assert.deepEqual(
        [...db.valuesSync('t', range)],
        expected.map((key) => key.toUpperCase()),
      );
    }
  });
}

test('pages of every kind of value and key, short, long and mixed', async (t) => {
  const first = await open(t);
  const kinds = [
    (n) => ({ id: n, name: `name ${n}` }),
    (n) => `é鍵\u{1F600}${n}`,
    (n) => ({ half: `\ud800${n}`, text: 'ü' }),
    (n) => Buffer.from(`bytes ${n}`),
    (n) => 'long '.repeat(n * 40),
    (n) => ({ many: Array.from({ length: n * 20 }, (_, item) => item * 1000) }),
    (n) => n,
    () => '',
  ];
  const written = Array.from({ length: 1000 }, (_, n) => [
    `${n % 7 === 0 ? 'schlüssel' : 'key'}-${String(n).padStart(4, '0')}`,
    kinds[n % kinds.length](n),
  ]);
  await first.batch(written.map(([key, value]) => ({ type: 'put', table: 't', key, value })));
  const sorted = written.toSorted(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  for await (const db of alsoReopened(t, first)) {
    assert.deepEqual(await collect(db.entries('t')), sorted);
    assert.deepEqual([...db.entriesSync('t')], sorted);
    assert.deepEqual([...db.entriesSync('t', { reverse: true })], sorted.toReversed());
    assert.deepEqual(
      [...db.keysSync('t')],
      sorted.map(([key]) => key),
    );
  }
});

test('a synchronous iteration that is left lets its snapshot go, and refuses what the other one refuses', async (t) => {
  const db = await letters(t);
  for (const [key] of db.entriesSync('t')) {
    assert.equal(key, 'a');
    break;
  }
  const rows = db.entriesSync('t');
  rows.next();
  await db.write('t', 'aa', 'later');
  assert.deepEqual(rows.next().value, ['aa', 'AA'], 'as it was when the iteration began');
  rows.return();
  assert.equal(rows.next().done, true);
  assert.throws(() => db.entriesSync('t', { gt: 'a', gte: 'a' }).next(), { code: 'ERR_CAIRN_INVALID_RANGE' });
  assert.throws(() => db.keysSync('').next(), { code: 'ERR_CAIRN_INVALID_TABLE' });
  await db.close();
  assert.throws(() => db.valuesSync('t').next(), { code: 'ERR_CAIRN_CLOSED' });
});

test('a table that does not exist has an empty range', async (t) => {
  const db = await open(t);
  for (const method of ['entries', 'keys', 'values']) assert.deepEqual(await collect(db[method]('nothing')), []);
});

test('keys are ordered by their UTF-8 bytes, which UTF-16 orders otherwise', async (t) => {
  const keys = ['\u{1F600}', '\uffff', 'é', 'z', 'Z', '鍵', '0', '\u{10000}', '\ue000', '~', '\u0001'];
  const expected = [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  assert.notDeepEqual(expected, [...keys].sort(), 'these keys do tell the two orders apart');
  const first = await open(t);
  for (const key of keys) await first.write('t', key, 1);
  for await (const db of alsoReopened(t, first)) {
    assert.deepEqual(await collect(db.keys('t')), expected);
    assert.deepEqual(
      (await db.get('t')).map(([key]) => key),
      expected,
    );
    assert.deepEqual(await collect(db.keys('t', { gt: '\uffff' })), ['\u{10000}', '\u{1F600}']);
    assert.deepEqual(await collect(db.keys('t', { prefix: '\u{1F600}' })), ['\u{1F600}']);
  }
});

test('every range agrees with a filter over all keys', async (t) => {
  const key = fc.string({ unit: 'binary', minLength: 1, maxLength: 3 }).filter((text) => !text.includes('\0'));
  const bound = fc.option(fc.string({ unit: 'binary', maxLength: 2 }), { nil: undefined });
  const compare = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b));
  const db = await open(t);
  let table = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(key, { maxLength: 40 }),
      fc.record({ from: bound, to: bound, prefix: bound, open: fc.boolean(), reverse: fc.boolean() }),
      fc.option(fc.nat(10), { nil: undefined }),
      async (keys, { from, to, prefix, open: isOpen, reverse }, limit) => {
        table += 1;
        await Promise.all(keys.map((name) => db.write(`t${table}`, name, name)));
        const range = { [isOpen ? 'gt' : 'gte']: from, [isOpen ? 'lt' : 'lte']: to, prefix, reverse, limit };
        const inside = (name) =>
          (from === undefined || compare(name, from) >= (isOpen ? 1 : 0)) &&
          (to === undefined || compare(name, to) <= (isOpen ? -1 : 0)) &&
          (prefix === undefined || name.startsWith(prefix));
        const expected = keys.filter(inside).sort((a, b) => (reverse ? compare(b, a) : compare(a, b)));
        assert.deepEqual(await collect(db.keys(`t${table}`, range)), expected.slice(0, limit));
      },
    ),
    { numRuns: 100 },
  );
});

test('a range of many pages comes whole, and reads no further than its limit', async (t) => {
  const db = await open(t);
  const keys = Array.from({ length: 3000 }, (_, index) => `k${String(index).padStart(5, '0')}`);
  await Promise.all(keys.map((key, index) => db.write('t', key, index)));
  assert.deepEqual(await collect(db.keys('t')), keys);
  assert.deepEqual(
    await collect(db.values('t', { reverse: true })).then((values) => values.reverse()),
    keys.map((_, index) => index),
  );
  assert.deepEqual(await collect(db.keys('t', { limit: 1500 })), keys.slice(0, 1500));
  assert.equal((await db.get('t')).length, 3000);
});

test('a loop may be left early, and so may an iterator', async (t) => {
  const db = await letters(t);
  for await (const [key] of db.entries('t')) {
    if (key === 'aa') break;
  }
  const iterator = db.keys('t');
  assert.deepEqual(await iterator.next(), { value: 'a', done: false });
  assert.deepEqual(await iterator.return(), { value: undefined, done: true });
  assert.deepEqual(await iterator.next(), { value: undefined, done: true });
});

test('an iterator that was left lets go of its snapshot, and of the files that only that needs', async (t) => {
  const db = await open(t, { reclaimDelay: 0 });
  const keys = Array.from({ length: 1000 }, (_, index) => `k${index}`);
  await Promise.all(keys.map((key) => db.write('t', key, 'x'.repeat(100))));
  await db.compact();
  for await (const _ of db.values('t')) break;
  const iterator = db.entries('t', { limit: 900 });
  await iterator.next();
  await iterator.return();
  // Files go when a later generation is made.
  let reclaimable = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 20 && reclaimable > 0; round += 1) {
    await db.write('t', 'k0', round);
    await db.compact();
    reclaimable = (await db.stats()).reclaimableBytes;
  }
  assert.equal(reclaimable, 0);
});

test('an iterator does not see what is written after its first entry', async (t) => {
  const db = await letters(t);
  const seen = [];
  for await (const [key, value] of db.entries('t')) {
    seen.push([key, value]);
    if (seen.length > 1) continue;
    await db.batch([
      { type: 'put', table: 't', key: 'b', value: 'changed' },
      { type: 'put', table: 't', key: 'bb', value: 'new' },
      { type: 'del', table: 't', key: 'c' },
    ]);
    await db.flush();
    await db.compact();
  }
  assert.deepEqual(
    seen,
    KEYS.map((key) => [key, key.toUpperCase()]),
  );
  assert.deepEqual(await collect(db.keys('t')), ['a', 'aa', 'ab', 'b', 'ba', 'bb']);
});

test('an iterator of many pages does not see what is written meanwhile', async (t) => {
  const db = await open(t);
  const keys = Array.from({ length: 2000 }, (_, index) => `k${String(index).padStart(5, '0')}`);
  await Promise.all(keys.map((key) => db.write('t', key, 'old')));
  let count = 0;
  for await (const [key, value] of db.entries('t')) {
    assert.equal(key, keys[count]);
    assert.equal(value, 'old');
    if (count % 100 === 0) await Promise.all(keys.slice(count).map((later) => db.write('t', later, 'new')));
    if (count === 1000) await db.deleteTable('t');
    count += 1;
  }
  assert.equal(count, 2000);
});

test('several iterators run side by side', async (t) => {
  const db = await letters(t);
  const [up, down] = [db.keys('t'), db.keys('t', { reverse: true })];
  for (const [index, key] of KEYS.entries()) {
    assert.equal((await up.next()).value, key);
    assert.equal((await down.next()).value, KEYS[KEYS.length - 1 - index]);
  }
  assert.equal((await up.next()).done, true);
  assert.equal((await down.next()).done, true);
});

test('the event loop gets its turn during a long scan', async (t) => {
  const db = await open(t);
  await Promise.all(Array.from({ length: 3000 }, (_, index) => db.write('t', `k${index}`, index)));
  const turns = await turnsDuring(() => collect(db.entries('t')));
  assert.ok(turns > 5, `${turns} turns`);
});

const BAD_RANGES = [
  [null, /null/],
  ['a', /"a"/],
  [['a', 'b'], /an array/],
  [{ gte: 1 }, /gte is 1/],
  [{ prefix: null }, /prefix is null/],
  [{ lt: 'a\ud800' }, /lt contains half/],
  [{ gt: 'a', gte: 'a' }, /gte and gt/],
  [{ lt: 'a', lte: 'a' }, /lte and lt/],
  [{ reverse: 1 }, /reverse is 1/],
  [{ limit: -1 }, /limit is -1/],
  [{ limit: 1.5 }, /limit is 1.5/],
  [{ limit: Infinity }, /limit is Infinity/],
  [{ limit: '5' }, /limit is "5"/],
  [{ start: 'a' }, /"start"/],
  [{ revers: true }, /"revers".*"reverse"/],
];

for (const [range, pattern] of BAD_RANGES) {
  test(`a range is refused: ${typeof range === 'object' ? JSON.stringify(range) : range} ${pattern}`, async (t) => {
    const db = await open(t);
    for (const method of ['entries', 'keys', 'values']) {
      await rejects(() => db[method]('t', range).next(), 'ERR_CAIRN_INVALID_RANGE', pattern);
    }
  });
}

test('an iterator of a database that was closed meanwhile rejects, or had all it needs', async (t) => {
  const db = await open(t);
  await Promise.all(Array.from({ length: 2000 }, (_, index) => db.write('t', `k${index}`, index)));
  const iterator = db.keys('t');
  await iterator.next();
  await db.close();
  await rejects(() => collect(iterator), 'ERR_CAIRN_CLOSED');
});
