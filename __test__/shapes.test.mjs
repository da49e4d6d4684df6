import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { recordOf } from '../bench/data.mjs';
import { alsoReopened, open, openAt, openRaw } from './helpers.mjs';
import { assertSame } from './same.mjs';
import { anything } from './values.mjs';

/** The shapes of an open database. */
const shapesOf = async (t, { directory }) => (await openRaw(t, directory)).shapes(0);

test('objects with the same keys share a shape, in every table', async (t) => {
  const db = await open(t);
  for (const table of ['a', 'b']) {
    for (let n = 0; n < 3; n += 1) await db.write(table, `k${n}`, { id: n, at: { x: n, y: n } });
  }
  assert.deepEqual(await shapesOf(t, db), [
    ['id', 'at'],
    ['x', 'y'],
  ]);
});

test('the order of keys is kept, and so is what looks like a number or a prototype', async (t) => {
  const values = [
    { b: 1, a: 2 },
    { a: 1, b: 2 },
    JSON.parse('{"z":1,"10":2,"2":3,"__proto__":{"a":1},"constructor":null}'),
    {},
    { '': { '': {} } },
    { 'a"b\\c\n\u2028': 1 },
  ];
  for await (const db of alsoReopened(t, await open(t))) {
    for (const [n, value] of values.entries()) await db.write('t', `k${n}`, value);
    for (const [n, value] of values.entries()) assertSame(db.getSync('t', `k${n}`), value);
    assertSame(
      (await db.get('t')).map(([, value]) => value),
      values,
    );
  }
  assert.equal({}.a, undefined);
});

test('a field that comes and goes, or changes its type, makes no further shape', async (t) => {
  const db = await open(t);
  const values = [
    { id: 1, name: 'n', note: 'x', tags: [] },
    { id: 2, name: null, tags: ['a'] },
    { id: 'three', note: undefined },
    { id: 4.5 },
    { name: { first: 'a' } },
  ];
  for (const [n, value] of values.entries()) await db.write('t', `k${n}`, value);
  for (const [n, value] of values.entries()) assertSame(db.getSync('t', `k${n}`), value);
  assert.deepEqual(await shapesOf(t, db), [['id', 'name', 'note', 'tags'], ['first']]);
});

test('objects that are maps do not make shapes without end, and come back', async (t) => {
  const db = await open(t);
  const values = Array.from({ length: 500 }, (_, n) => ({ counts: { [`key ${n}`]: n, [`other ${n}`]: [n] } }));
  await Promise.all(values.map((value, n) => db.write('t', `k${n}`, value)));
  for (const [n, value] of values.entries()) assertSame(db.getSync('t', `k${n}`), value);
  assert.equal((await shapesOf(t, db)).length, 64);
});

test('objects with more than 256 keys name them', async (t) => {
  const db = await open(t);
  const keys = Array.from({ length: 257 }, (_, n) => [`key ${n}`, n]);
  const [large, largest] = [Object.fromEntries(keys), Object.fromEntries(keys.slice(1))];
  await db.write('t', 'large', large);
  await db.write('t', 'largest', largest);
  assertSame(db.getSync('t', 'large'), large);
  assertSame(db.getSync('t', 'largest'), largest);
  assert.deepEqual(await shapesOf(t, db), [Object.keys(largest)]);
});

test('what one instance writes another one reads, shapes that it has never seen too', async (t) => {
  const first = await open(t);
  const second = await openAt(t, first.directory);
  for (let n = 0; n < 5; n += 1) {
    await first.write('t', 'k', { [`first ${n}`]: n });
    assertSame(second.getSync('t', 'k'), { [`first ${n}`]: n });
    await second.write('t', 'k', { [`second ${n}`]: n });
    assertSame(first.getSync('t', 'k'), { [`second ${n}`]: n });
  }
});

test('a value that is written while another one is packed disturbs neither', async (t) => {
  const db = await open(t);
  const inner = [];
  const nested = { deep: 'inner', list: [1, 2] };
  const value = {
    before: 'text',
    get now() {
      inner.push(db.write('t', 'inner', nested), db.batch([{ type: 'put', table: 't', key: 'b', value: [nested] }]));
      return 'got';
    },
    after: ['more text', 7],
  };
  await db.write('t', 'outer', value);
  await Promise.all(inner);
  assertSame(db.getSync('t', 'outer'), { before: 'text', now: 'got', after: ['more text', 7] });
  assertSame(db.getSync('t', 'inner'), nested);
  assertSame(db.getSync('t', 'b'), [nested]);
});

test('a value is not larger than in MessagePack with shared records', async (t) => {
  const db = await open(t);
  const packr = new Packr({ structures: [] });
  const values = [
    recordOf(7),
    { ...recordOf(8), tags: ['a', 'b'], address: { street: 'Main 1', zip: 12_345 }, at: 1_795_000_000_000 },
    { on: true, off: null, list: [1, -1, 300, 70_000, 0.1], text: 'x'.repeat(500) },
  ];
  for (const value of values) {
    packr.pack(value);
    const before = (await db.stats()).liveBytes;
    await db.write('t', `k${before}`, value);
    const size = (await db.stats()).liveBytes - before - `k${before}`.length;
    assert.ok(size <= packr.pack(value).length, `${size} bytes, ${packr.pack(value).length} in MessagePack`);
  }
});

const needsV8 = globalThis.Bun || globalThis.Deno ? { skip: 'the flag is one of V8 in Node.js' } : {};

test('where code from strings is not allowed, values are the same', needsV8, (t) => {
  const file = fileURLToPath(new URL('./fixtures/interpreted.mjs', import.meta.url));
  const directory = join(dirname(fileURLToPath(import.meta.url)), '..');
  const output = execFileSync(process.execPath, ['--disallow-code-generation-from-strings', file], { cwd: directory });
  assert.equal(output.toString(), '300 values are the same\n');
  t.diagnostic(output.toString());
});

test('what JavaScript packs Rust unpacks, and what Rust packs JavaScript unpacks', async (t) => {
  const db = await open(t);
  const values = fc.sample(anything, 500).map((value) => (value === undefined ? null : value));
  await Promise.all(values.map((value, n) => db.write('t', `k${n}`, value)));
  await db.close();
  const copy = `${db.directory}-copy`;
  const root = fileURLToPath(new URL('..', import.meta.url));
  execFileSync('cargo', ['run', '--quiet', '-p', 'cairndb', '--example', 'copy', '--', db.directory, copy], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'ignore'],
  });
  const copied = await openAt(t, copy);
  for (const [n, value] of values.entries()) assertSame(copied.getSync('t', `k${n}`), value);
});
