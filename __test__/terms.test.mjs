import assert from 'node:assert/strict';
import { test } from 'node:test';
import { open, refusesToWrite, reopen } from './helpers.mjs';

const FAR = 4_102_444_800_000;

const BAD_EXPIRATIONS = [Number.NaN, Infinity, -Infinity, '5', '', null, true, 5n, [], new Date(FAR), () => 5];

for (const expiration of BAD_EXPIRATIONS) {
  test(`expirationTimestamp is refused: ${typeof expiration} ${String(expiration)}`, async (t) => {
    const db = await open(t);
    await refusesToWrite(
      db,
      () => db.write('t', 'k', 1, expiration),
      'ERR_CAIRN_INVALID_EXPIRATION',
      /expirationTimestamp/,
    );
  });
}

for (const expiresAt of [Number.NaN, Infinity, '5', true, 5n, {}, new Date(Number.NaN)]) {
  test(`expiresAt is refused: ${typeof expiresAt} ${String(expiresAt)}`, async (t) => {
    const db = await open(t);
    const item = { type: 'put', table: 't', key: 'k', value: 1, expiresAt };
    await refusesToWrite(db, () => db.write('t', 'k', 1, { expiresAt }), 'ERR_CAIRN_INVALID_EXPIRATION', /expiresAt/);
    await refusesToWrite(db, () => db.batch([item]), 'ERR_CAIRN_INVALID_EXPIRATION', /Operation 0.*expiresAt/);
  });
}

for (const ttl of [0, -1, Number.NaN, Infinity, Number.MAX_VALUE * 2, '5', null, 5n, new Date(FAR)]) {
  test(`ttl is refused: ${typeof ttl} ${String(ttl)}`, async (t) => {
    const db = await open(t);
    await refusesToWrite(db, () => db.write('t', 'k', 1, { ttl }), 'ERR_CAIRN_INVALID_EXPIRATION', /ttl/);
  });
}

test('expiresAt and ttl together are refused', async (t) => {
  const db = await open(t);
  await refusesToWrite(
    db,
    () => db.write('t', 'k', 1, { ttl: 5, expiresAt: FAR }),
    'ERR_CAIRN_INVALID_EXPIRATION',
    /one of/,
  );
});

for (const ifVersion of [-1, 0.5, Number.NaN, '1', null, 1n, 2 ** 53]) {
  test(`ifVersion is refused: ${typeof ifVersion} ${String(ifVersion)}`, async (t) => {
    const db = await open(t);
    await refusesToWrite(db, () => db.write('t', 'k', 1, { ifVersion }), 'ERR_CAIRN_INVALID_OPTIONS', /ifVersion/);
  });
}

test('an unknown durability is refused', async (t) => {
  const db = await open(t);
  for (const durability of ['fsync', '', null, 2, 'constructor']) {
    await refusesToWrite(
      db,
      () => db.write('t', 'k', 1, { durability }),
      'ERR_CAIRN_INVALID_OPTIONS',
      /eventual, os, full/,
    );
    const item = { type: 'put', table: 't', key: 'k', value: 1 };
    await refusesToWrite(db, () => db.batch([item], { durability }), 'ERR_CAIRN_INVALID_OPTIONS', /eventual, os, full/);
  }
});

test('an unknown option of write is refused, with a suggestion', async (t) => {
  const db = await open(t);
  await refusesToWrite(db, () => db.write('t', 'k', 1, { tll: 5 }), 'ERR_CAIRN_INVALID_OPTIONS', /"tll".*"ttl"/);
  await refusesToWrite(db, () => db.write('t', 'k', 1, { expiresat: 5 }), 'ERR_CAIRN_INVALID_OPTIONS', /"expiresAt"/);
  await refusesToWrite(
    db,
    () => db.write('t', 'k', 1, { quantity: 5 }),
    'ERR_CAIRN_INVALID_OPTIONS',
    /Known: expiresAt/,
  );
});

test('options together with a dictionary name are refused', async (t) => {
  const db = await open(t, { dictionaries: { d: { deflate: { a: 'b' } } } });
  await refusesToWrite(db, () => db.write('t', 'k', 1, {}, 'd'), 'ERR_CAIRN_INVALID_OPTIONS', /into the options/);
});

test('an unknown dictionary is refused, and the known ones are named', async (t) => {
  const db = await open(t, { dictionaries: { one: { deflate: { a: 'b' } }, two: { deflate: {} } } });
  const code = 'ERR_CAIRN_UNKNOWN_DICTIONARY';
  await refusesToWrite(db, () => db.write('t', 'k', 1, undefined, 'three'), code, /"three".*one, two/);
  await refusesToWrite(db, () => db.write('t', 'k', 1, { dictionary: 'toString' }), code, /"toString"/);
  await refusesToWrite(db, () => db.batch([{ type: 'put', table: 't', key: 'k', value: 1, dictionary: '' }]), code);
  const bare = await open(t);
  await refusesToWrite(bare, () => bare.write('t', 'k', 1, 0, 'one'), code, /none/);
});

test('a dictionary name that is no string is refused', async (t) => {
  const db = await open(t);
  await refusesToWrite(db, () => db.write('t', 'k', 1, undefined, 7), 'ERR_CAIRN_INVALID_OPTIONS', /dictionary is 7/);
  await refusesToWrite(db, () => db.write('t', 'k', 1, { dictionary: {} }), 'ERR_CAIRN_INVALID_OPTIONS', /dictionary/);
});

const NEVER = [[undefined], [0], [-0], [{}], [{ expiresAt: 0 }], [{ expiresAt: null }], [{ expiresAt: undefined }]];

for (const [terms] of NEVER) {
  test(`a record never expires with ${Object.is(terms, -0) ? '-0' : JSON.stringify(terms)}`, async (t) => {
    const db = await open(t);
    await db.write('t', 'k', 1, terms);
    assert.equal((await db.getRecord('t', 'k')).expiration, null);
  });
}

test('an expiration may be a number, a fraction, or a Date', async (t) => {
  const db = await open(t);
  await db.write('t', 'number', 1, FAR);
  await db.write('t', 'fraction', 1, { expiresAt: FAR + 0.25 });
  await db.write('t', 'date', 1, { expiresAt: new Date(FAR) });
  assert.equal((await db.getRecord('t', 'number')).expiration, FAR);
  assert.equal((await db.getRecord('t', 'fraction')).expiration, FAR + 0.25);
  assert.equal((await db.getRecord('t', 'date')).expiration, FAR);
});

test('a ttl counts from the call', async (t) => {
  const db = await open(t);
  const before = Date.now();
  await db.write('t', 'k', 1, { ttl: 3_600_000 });
  const after = Date.now();
  const { expiration } = await db.getRecord('t', 'k');
  assert.ok(expiration >= before + 3_600_000 && expiration <= after + 3_600_000);
});

test('what getRecord says can be written again as it is', async (t) => {
  const db = await open(t, { dictionaries: { d: { deflate: { name: 'n' } } } });
  await db.write('t', 'plain', { name: 1 });
  await db.write('t', 'terms', { name: 2 }, { expiresAt: FAR, dictionary: 'd' });
  for (const key of ['plain', 'terms']) {
    const { value, expiration: expiresAt, dictionaryName: dictionary } = await db.getRecord('t', key);
    await db.write('copy', key, value, { expiresAt, dictionary });
    const { timestamp: _, ...copy } = await db.getRecord('copy', key);
    assert.deepEqual(copy, { value, version: 1, expiration: expiresAt, dictionaryName: dictionary });
  }
});

test('ifVersion 0 writes only what does not exist', async (t) => {
  const db = await open(t);
  assert.equal(await db.write('t', 'k', 'first', { ifVersion: 0 }), true);
  await assert.rejects(db.write('t', 'k', 'second', { ifVersion: 0 }), {
    name: 'CairnError',
    code: 'ERR_CAIRN_CONFLICT',
    actualVersion: 1,
  });
  assert.equal(await db.get('t', 'k'), 'first');
});

test('ifVersion writes only over that version', async (t) => {
  const db = await open(t);
  await assert.rejects(db.write('t', 'k', 1, { ifVersion: 1 }), { code: 'ERR_CAIRN_CONFLICT', actualVersion: 0 });
  await db.write('t', 'k', 1);
  await db.write('t', 'k', 2);
  await assert.rejects(db.write('t', 'k', 3, { ifVersion: 1 }), { code: 'ERR_CAIRN_CONFLICT', actualVersion: 2 });
  assert.equal(await db.get('t', 'k'), 2);
  assert.equal(await db.write('t', 'k', 3, { ifVersion: 2 }), true);
  assert.equal((await db.getRecord('t', 'k')).version, 3);
});

test('of concurrent writes with one ifVersion exactly one is done', async (t) => {
  const db = await open(t);
  const results = await Promise.allSettled(
    Array.from({ length: 100 }, (_, index) => db.write('t', 'k', index, { ifVersion: 0 })),
  );
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', ...Array(99).fill('rejected')],
  );
  assert.equal(await db.get('t', 'k'), 0);
});

test('a conflict names key, table and versions, and has the stack of the caller', async (t) => {
  const db = await open(t);
  async function theCaller() {
    await db.write('users', 'alice', 1, { ifVersion: 4 });
  }
  await assert.rejects(theCaller, (error) => {
    assert.match(error.message, /"alice".*"users".*does not exist.*4/);
    assert.match(error.stack, /theCaller/);
    return true;
  });
});

for (const durability of ['eventual', 'os', 'full']) {
  test(`a write at level ${durability} is there after reopening`, async (t) => {
    const db = await open(t);
    assert.equal(await db.write('t', 'k', 1, { durability }), true);
    assert.equal(await db.batch([{ type: 'put', table: 't', key: 'b', value: 2 }], { durability }), true);
    const again = await reopen(t, db);
    assert.deepEqual(await again.get('t'), [
      ['b', 2],
      ['k', 1],
    ]);
  });
}
