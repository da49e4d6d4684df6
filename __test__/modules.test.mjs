import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import * as esm from 'cairndb';
import { newDirectory, onEnd } from './helpers.mjs';

const cjs = createRequire(import.meta.url)('cairndb');

test('the ES module and the CommonJS module export the same names', () => {
  assert.deepEqual(Object.keys(esm).sort(), ['CairnDB', 'CairnError']);
  assert.deepEqual(Object.keys(cjs).sort(), ['CairnDB', 'CairnError']);
});

test('both work, and share the database of a directory', async (t) => {
  const directory = newDirectory(t);
  const one = await esm.CairnDB.open(directory);
  onEnd(t, () => one.close());
  const two = await cjs.CairnDB.open(directory);
  onEnd(t, () => two.close());
  await one.write('t', 'k', { at: new Date(0) });
  assert.deepEqual(await two.get('t', 'k'), { at: new Date(0) });
  await assert.rejects(two.write('t', 'k', 1, { ifVersion: 0 }), (error) => error instanceof esm.CairnError);
});
