// The deliberate defects of scripts/defects.mjs still fit the sources, so that a run of them means something.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { breakSource } from '../../scripts/lib/break-source.mjs';
import { defects } from '../../scripts/lib/defects.mjs';
import { root } from '../../scripts/lib/run.mjs';

test('there are at least 20 deliberate defects, each with a name of its own', () => {
  assert.ok(defects.length >= 20);
  assert.equal(new Set(defects.map(({ name }) => name)).size, defects.length);
});

for (const defect of defects) {
  test(`can be put in: ${defect.name}`, () => {
    const source = readFileSync(`${root}${defect.file}`, 'utf8');
    assert.notEqual(breakSource(source, defect), source);
    assert.ok(defect.test.length > 0);
  });
}

test('a defect that does not fit, or fits in two places, is an error', () => {
  for (const source of ['', 'aa']) {
    assert.throws(() => breakSource(source, { file: 'f', from: 'a', to: 'b' }), /f has \d places/);
  }
});
