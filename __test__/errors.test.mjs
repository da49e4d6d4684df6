import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import * as esm from 'cairndb';

const cjs = createRequire(import.meta.url)('cairndb');
const { CairnError } = esm;

test('a CairnError is an Error with a name, a code and a message', () => {
  const error = new CairnError('ERR_CAIRN_IO', 'what happened');
  assert.ok(error instanceof Error);
  assert.equal(error.name, 'CairnError');
  assert.equal(error.code, 'ERR_CAIRN_IO');
  assert.equal(String(error), 'CairnError: what happened');
  assert.match(error.stack, /^CairnError: what happened\n.*errors\.test\.mjs/s);
  assert.deepEqual(Object.keys(error), ['code']);
});

test('its details are there when they are given', () => {
  const cause = new Error('below');
  const error = new CairnError('ERR_CAIRN_CORRUPT', 'damage', { path: '/a', offset: 0, actualVersion: 0, cause });
  const { path, offset, actualVersion } = error;
  assert.deepEqual({ path, offset, actualVersion }, { path: '/a', offset: 0, actualVersion: 0 });
  assert.equal(error.cause, cause);
  assert.equal('cause' in new CairnError('ERR_CAIRN_IO', 'x', { path: '/a' }), false);
});

test('instanceof holds across copies of the package', () => {
  assert.notEqual(esm.CairnError, cjs.CairnError);
  assert.ok(new cjs.CairnError('ERR_CAIRN_IO', 'x') instanceof esm.CairnError);
  assert.ok(new esm.CairnError('ERR_CAIRN_IO', 'x') instanceof cjs.CairnError);
  for (const other of [new Error('x'), { code: 'ERR_CAIRN_IO' }, null, undefined, 'ERR_CAIRN_IO', () => 1]) {
    assert.equal(other instanceof CairnError, false);
  }
});

test('a subclass knows its own instances only', () => {
  class Special extends CairnError {}
  assert.ok(new Special('ERR_CAIRN_IO', 'x') instanceof Special);
  assert.ok(new Special('ERR_CAIRN_IO', 'x') instanceof CairnError);
  assert.equal(new CairnError('ERR_CAIRN_IO', 'x') instanceof Special, false);
});
