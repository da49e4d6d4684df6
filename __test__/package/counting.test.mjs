// `npm test` is only worth what its counting is worth: a test that fails, crashes or vanishes must be seen.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { cargoSuites } from '../../scripts/lib/cargo-report.mjs';
import { judge, record } from '../../scripts/lib/judge.mjs';
import { root, run } from '../../scripts/lib/run.mjs';

const suite = (name, passed, failed = 0, skipped = 0) => ({ name, passed, failed, skipped });
const unable = (suite, ...unavailable) => ({ ...suite, unavailable });

describe('judging a step', () => {
  it('counts what passed', () => {
    assert.deepEqual(judge({ code: 0, suites: [suite('a', 3), suite('b', 2)] }, { a: 3, b: 1 }), {
      passed: 5,
      failed: 0,
      problems: [],
    });
  });

  it('counts a check as one test', () => {
    assert.deepEqual(judge({ code: 0 }), { passed: 1, failed: 0, problems: [] });
    assert.deepEqual(judge({ code: 2 }), { passed: 0, failed: 1, problems: [] });
  });

  for (const [what, result, expected] of [
    ['a failed test', { code: 1, suites: [suite('a', 3, 1)] }, { a: 3 }],
    ['a suite that did not run', { code: 0, suites: [suite('a', 3)] }, { a: 3, b: 1 }],
    ['a suite that lost a test', { code: 0, suites: [suite('a', 2)] }, { a: 3 }],
    ['a suite that nobody listed', { code: 0, suites: [suite('a', 3), suite('b', 1)] }, { a: 3 }],
    ['a suite that lost more tests than cannot run here', { code: 0, suites: [unable(suite('a', 1), 'x')] }, { a: 3 }],
    ['a skipped test', { code: 0, suites: [suite('a', 3, 0, 1)] }, { a: 3 }],
    ['a runner that failed without a failed test', { code: 101, suites: [suite('a', 3)] }, { a: 3 }],
    ['a runner without tests', { code: 0, suites: [] }, {}],
  ]) {
    it(`counts as one failure: ${what}`, () => {
      assert.equal(judge(result, expected).failed, 1);
    });
  }

  it('passes over tests that cannot run on this machine, and says which', () => {
    assert.deepEqual(judge({ code: 0, suites: [unable(suite('a', 1), 'x (no disk)', 'y (no disk)')] }, { a: 3 }), {
      passed: 1,
      failed: 0,
      problems: [],
      unavailable: ['a: x (no disk)', 'a: y (no disk)'],
    });
  });

  it('passes over a crate that never had tests', () => {
    assert.equal(judge({ code: 0, suites: [suite('a', 3), suite('no tests', 0)] }, { a: 3 }).failed, 0);
  });

  it('records what ran', () => {
    assert.deepEqual(record([suite('b', 1, 1), suite('a', 3), suite('none', 0)]), { a: 3, b: 2 });
    assert.deepEqual(record([unable(suite('a', 3), 'x (no disk)')]), { a: 4 });
  });
});

describe("reading cargo's report", () => {
  const output = `
     Running unittests src/lib.rs (target/debug/deps/cairndb-0123456789abcdef)
running 2 tests
test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
     Running tests/recovery.rs (target\\debug\\deps\\recovery-0123456789abcdef.exe)
test result: FAILED. 4 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s
     Running tests/aborts.rs (/somewhere/deps/aborts-0123456789abcdef)
error: test failed, to rerun pass \`-p cairndb --test aborts\`
   Doc-tests cairndb
test result: ok. 5 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
`;

  it('finds every suite, its counts, and a binary that crashed', () => {
    assert.deepEqual(cargoSuites(output), [
      suite('cairndb src/lib.rs', 2),
      suite('recovery tests/recovery.rs', 4, 1, 1),
      suite('aborts tests/aborts.rs', 0, 1),
      suite('cairndb doc tests', 6),
    ]);
  });
});

describe("reading node's report", () => {
  const file = `
    import { before, describe, it, test } from 'node:test';
    describe('outer', () => {
      it('passes', () => {});
      it('fails', () => { throw new Error('on purpose'); });
      it.skip('is skipped', () => {});
      it('needs a disk', { skip: 'not on this machine: no disk' }, () => {});
      describe('inner', () => { it('passes', () => {}); });
    });
    describe('a hook that fails', () => { before(() => { throw new Error('on purpose'); }); });
  `;

  it('counts tests, not their groups, and sees a crash and an empty file', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'cairndb-counting-'));
    try {
      const files = { 'mixed.mjs': file, 'crash.mjs': 'process.exit(3)', 'empty.mjs': '' };
      for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
      const counts = join(folder, 'counts');
      const { NODE_TEST_CONTEXT, ...env } = process.env;
      const reporter = ['--test-reporter=./scripts/lib/count-reporter.mjs', `--test-reporter-destination=${counts}`];
      const paths = Object.keys(files).map((name) => join(folder, name));
      const { code } = await run(process.execPath, ['--test', ...reporter, ...paths], { cwd: root, env });
      assert.equal(code, 1);
      const found = readFileSync(counts, 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
      const byName = Object.fromEntries(found.map(({ name, ...rest }) => [name.split('/').at(-1), rest]));
      assert.deepEqual(byName, {
        'mixed.mjs': { passed: 2, failed: 2, skipped: 1, unavailable: ['needs a disk (no disk)'] },
        'crash.mjs': { passed: 0, failed: 1, skipped: 0, unavailable: [] },
        'empty.mjs': { passed: 0, failed: 0, skipped: 0, unavailable: [] },
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
