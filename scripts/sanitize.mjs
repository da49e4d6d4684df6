#!/usr/bin/env node
// Runs the tests of the engine, of its simulation and of the fuzzers' corpus under AddressSanitizer, which finds leaks too.
//   node scripts/sanitize.mjs [what cargo test takes]
// Its last line is `sanitize: N passed, N failed`. ThreadSanitizer needs a standard library that is built with it: with
// the one that is shipped it reports each OnceLock and Arc. crates/schedules looks for what it would find.

import { cargoSuites } from './lib/cargo-report.mjs';
import { mustRun, root, run } from './lib/run.mjs';

const host = /^host: (.*)$/m.exec(await mustRun('rustc', ['-vV']))[1];
const packages = ['cairndb', 'cairndb-sim', 'cairndb-fuzzing'].flatMap((name) => ['-p', name]);
const target = `${process.env.CARGO_TARGET_DIR ?? `${root}target`}/address-sanitizer`;
const command = [
  'cargo test --no-fail-fast --color never --tests',
  '--target',
  host,
  ...packages,
  ...process.argv.slice(2),
].join(' ');
const { code, output } = await run(`${command} 2>&1`, [], {
  shell: true,
  show: true,
  env: {
    ...process.env,
    // Sanitizers are not stable; this lets a stable compiler have them.
    RUSTC_BOOTSTRAP: '1',
    RUSTFLAGS: `-Zsanitizer=address ${process.env.RUSTFLAGS ?? ''}`,
    CARGO_TARGET_DIR: target,
    LSAN_OPTIONS: `suppressions=${root}scripts/sanitizers/leak.txt:print_suppressions=0`,
  },
});

const suites = cargoSuites(output);
const sum = (field) => suites.reduce((total, suite) => total + (suite[field] ?? 0), 0);
const failed = sum('failed') + (code !== 0 && sum('failed') === 0 ? 1 : 0);
console.log(`sanitize: ${sum('passed')} passed, ${failed} failed`);
process.exitCode = code === 0 && sum('passed') > 0 ? 0 : 1;
