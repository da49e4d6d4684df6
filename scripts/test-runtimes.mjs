#!/usr/bin/env node
// Builds once, runs the JavaScript tests with that one addon on every runtime that is supported, and prints a table.

import { readdirSync } from 'node:fs';
import { mustRun, root } from './lib/run.mjs';
import { installRuntime, runtimes, testFile } from './lib/runtimes.mjs';
import { testsPortable } from './lib/zig.mjs';

const build = ['scripts/build-native.mjs', ...((await testsPortable()) ? ['--portable'] : [])];
for (const args of [build, ['node_modules/tsdown/dist/run.mjs']]) await mustRun(process.execPath, args, { show: true });

const files = readdirSync(`${root}__test__`).filter((name) => name.endsWith('.test.mjs'));
if (files.length === 0) throw new Error('there are no tests in __test__');

async function testRuntime(runtime) {
  const binary = await installRuntime(runtime);
  const failed = [];
  let tests = 0;
  for (const name of files) {
    const { passed, failure } = await testFile(runtime, binary, `__test__/${name}`);
    tests += passed;
    if (failure === undefined) continue;
    failed.push(name);
    console.log(`\n--- ${runtime.name} ${runtime.version}: ${name}\n${failure}`);
  }
  return { tests, failed };
}

const table = [];
for (const runtime of runtimes) {
  const start = performance.now();
  const { tests, failed } = await testRuntime(runtime).catch((error) => {
    console.log(error);
    return { tests: 0, failed: files };
  });
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(
    `${runtime.name} ${runtime.version}: ${tests} tests passed, ${failed.length} files failed (${seconds} s)`,
  );
  table.push([runtime.name, runtime.version, files.length - failed.length, failed.length, tests, seconds]);
  if (failed.length > 0) process.exitCode = 1;
}

const rows = [['runtime', 'version', 'files passed', 'files failed', 'tests passed', 'seconds'], ...table];
const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => String(row[column]).length)));
for (const row of rows)
  console.log(
    row
      .map((cell, column) => String(cell).padEnd(widths[column]))
      .join('  ')
      .trimEnd(),
  );
