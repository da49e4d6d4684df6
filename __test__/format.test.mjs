// FORMAT.md on values against what the facade writes; the rest of the page is compared by the engine's tests.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { open, writeRaw } from './helpers.mjs';
import { assertSame } from './same.mjs';

const page = readFileSync(new URL('../FORMAT.md', import.meta.url), 'utf8');

/** The rows of the table of a section that begins like this, as lists of cells. */
function rowsOf(section, header = '|') {
  const [, body] = new RegExp(`^#+ ${section}\\n([\\s\\S]*?)(?=^#)`, 'm').exec(page);
  const lines = body.split('\n');
  const rows = lines.slice(lines.findIndex((line) => line.startsWith(header))).filter((line) => line.startsWith('|'));
  return rows.slice(2).map((row) =>
    row
      .slice(1, -1)
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim().replaceAll(/^`|`$/g, '')),
  );
}

const KEY = 'a key that stands nowhere else';
const SHAPE = { a: 1, b: 2, c: 'x' };

/** Finds the kind and the bytes of the value in the journal: the key is followed by the value. */
function stored(directory) {
  const files = readdirSync(directory).filter((name) => name.endsWith('.journal'));
  const bytes = Buffer.concat(files.map((name) => readFileSync(join(directory, name))));
  const keyAt = bytes.indexOf(KEY);
  // Before the key: head, version 1, time step, length of the key, length of the value, a byte each.
  const [head, version, , keyLength, valueLength] = bytes.subarray(keyAt - 5, keyAt);
  assert.deepEqual([version, keyLength], [1, KEY.length]);
  const valueAt = keyAt + KEY.length;
  return { kind: head >> 3, bytes: bytes.subarray(valueAt, valueAt + valueLength) };
}

/** Stores `value` in a database whose first shape is that of the examples. */
async function store(t, value) {
  const db = await open(t);
  await db.write('t', 'first', SHAPE);
  await db.write('t', KEY, value);
  return stored(db.directory);
}

const TYPES = {
  Date: (time) => new Date(time),
  Map: (entries) => new Map(entries),
  Set: (items) => new Set(items),
  Bytes: (text) => Buffer.from(text),
  Elements: (_type, text) => new Uint8Array(Buffer.from(text)),
  A: 'A',
  AB: 'AB',
};

/** The value that an example of the page shows. */
const evaluate = (example) => new Function(...Object.keys(TYPES), `return (${example})`)(...Object.values(TYPES));

for (const [number, name] of rowsOf('Element types')) {
  test(`${name} is stored as element type ${number}`, async (t) => {
    const elements = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]);
    const { buffer } = elements;
    const value = name === 'ArrayBuffer' ? buffer : new globalThis[name](buffer);
    const { kind, bytes } = await store(t, value);
    assert.deepEqual([kind, ...bytes], [2, 11, 0xdf, Number(number), 8, ...elements]);
  });
}

test('every element type is in FORMAT.md', () => {
  const source = readFileSync(new URL('../ts/elements.ts', import.meta.url), 'utf8');
  const types = [...source.matchAll(/^ {2}\['(\w+)', \d+\]/gm)].map(([, name]) => name);
  assert.deepEqual(
    rowsOf('Element types').map(([, name]) => name),
    [...types, 'DataView', 'ArrayBuffer'],
  );
});

/** The tokens and the characters of an example. */
function partsOf(bytes) {
  return bytes.split('\\|').map((hex) => Buffer.from(hex.replaceAll(/\s/g, ''), 'hex'));
}

const examples = rowsOf('Packed values', '| token |').map(([token, what, , example, bytes]) => {
  const [head, tail] = partsOf(bytes);
  const packed = Buffer.concat([Buffer.of(head.length), head, tail]);
  return { token, what, example, packed, value: evaluate(example) };
});

test('FORMAT.md shows every token', () => assert.equal(examples.length, 25));

for (const { token, what, example, packed, value } of examples) {
  test(`${token}: ${example} is read as FORMAT.md says`, async (t) => {
    const db = await open(t);
    await db.write('t', 'first', SHAPE);
    await writeRaw(t, db.directory, 2, packed);
    assertSame(db.getSync('t', 'k'), value);
  });

  // The facade says these in a shorter way, and undefined as a whole not at all.
  if (['c4', 'd8', 'd9', 'db', 'c1'].some((other) => token.includes(other))) continue;
  test(`${token}: ${what}, ${example}, is stored as FORMAT.md says`, async (t) => {
    const isBytes = Buffer.isBuffer(value);
    const { kind, bytes } = await store(t, isBytes ? [value] : value);
    const expected = isBytes ? Buffer.concat([Buffer.of(packed[0] + 1, 0xb1), packed.subarray(1)]) : packed;
    assert.deepEqual([kind, bytes.toString('hex')], [2, expected.toString('hex')]);
  });
}

test('a Buffer is stored as it is', async (t) => {
  assert.deepEqual(await store(t, Buffer.from('bytes')), { kind: 0, bytes: Buffer.from('bytes') });
});
