// FORMAT.md on values against what the facade writes; the rest of the page is compared by the engine's tests.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { runInNewContext } from 'node:vm';
import { open } from './helpers.mjs';

const page = readFileSync(new URL('../FORMAT.md', import.meta.url), 'utf8');

/** The rows of the first table of a section, as lists of cells. */
function rowsOf(section) {
  const [, body] = new RegExp(`^#+ ${section}\\n([\\s\\S]*?)(?=^#)`, 'm').exec(page);
  const rows = body.split('\n').filter((line) => line.startsWith('|'));
  return rows.slice(2).map((row) =>
    row
      .slice(1, -1)
      .split(' | ')
      .map((cell) => cell.trim().replaceAll(/^`|`$/g, '')),
  );
}

/** Stores `value`, and finds its kind and bytes in the journal: the key is followed by the value. */
async function stored(t, value) {
  const db = await open(t);
  const key = 'a key that stands nowhere else';
  await db.write('t', key, value);
  const files = readdirSync(db.directory).filter((name) => name.endsWith('.journal'));
  const bytes = Buffer.concat(files.map((name) => readFileSync(join(db.directory, name))));
  const keyAt = bytes.indexOf(key);
  // Before the key: head, version 1, time step 0, length of the key, length of the value, a byte each.
  const [head, version, time, keyLength, valueLength] = bytes.subarray(keyAt - 5, keyAt);
  assert.deepEqual([version, time, keyLength], [1, 0, key.length]);
  const valueAt = keyAt + key.length;
  return { kind: head >> 3, bytes: bytes.subarray(valueAt, valueAt + valueLength) };
}

const evaluate = (expression) => runInNewContext(expression, { Buffer });

for (const [number, name] of rowsOf('Element types')) {
  test(`${name} is stored as element type ${number}`, async (t) => {
    const elements = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]);
    const { buffer } = elements;
    const value = name === 'ArrayBuffer' ? buffer : new globalThis[name](buffer);
    const { kind, bytes } = await stored(t, value);
    assert.deepEqual([kind, ...bytes], [3, Number(number), ...elements]);
  });
}

test('every element type and every tag is in FORMAT.md', () => {
  const source = (name) => readFileSync(new URL(`../ts/${name}.ts`, import.meta.url), 'utf8');
  const types = [...source('elements').matchAll(/^ {2}\['(\w+)', \d+\]/gm)].map(([, name]) => name);
  assert.deepEqual(
    rowsOf('Element types').map(([, name]) => name),
    [...types, 'DataView', 'ArrayBuffer'],
  );
  const tags = [...source('decode').matchAll(/case '(\$\w+)'/g)].map(([, tag]) => tag);
  assert.deepEqual(
    rowsOf('Tags').map(([tag]) => tag),
    tags,
  );
});

for (const [tag, , example, text] of rowsOf('Tags')) {
  test(`${tag}: ${example} is stored as FORMAT.md says`, async (t) => {
    const { kind, bytes } = await stored(t, evaluate(example));
    assert.equal(bytes.toString(), text);
    assert.equal(kind, 2);
    assert.ok(text.includes(`"${tag}"`));
  });
}

test('bytes and JSON are stored as they are', async (t) => {
  assert.deepEqual(await stored(t, Buffer.from('bytes')), { kind: 0, bytes: Buffer.from('bytes') });
  const value = { $date: 1, list: ['é', null] };
  assert.deepEqual(await stored(t, value), { kind: 1, bytes: Buffer.from(JSON.stringify(value)) });
});
