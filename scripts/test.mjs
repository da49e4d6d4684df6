#!/usr/bin/env node
// Runs everything that must pass, counts it, and prints `N passed, N failed` as its last line.
//   npm test                     everything
//   npm test -- rust|js|package  one part of it
//   npm test -- --record         and writes scripts/expected-tests.json anew from what ran

import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { judge, record } from './lib/judge.mjs';
import { root } from './lib/run.mjs';
import { listSteps } from './lib/steps.mjs';

const { values, positionals } = parseArgs({ options: { record: { type: 'boolean' } }, allowPositionals: true });
const expectedFile = `${root}scripts/expected-tests.json`;
const expected = JSON.parse(readFileSync(expectedFile, 'utf8'));
const total = { passed: 0, failed: 0 };
const summary = [];
const broken = new Set();

async function runStep(step) {
  const missing = step.needs?.find((name) => broken.has(name));
  if (missing) return { passed: 0, failed: 1, problems: [`not run, because '${missing}' failed`] };
  try {
    const result = await step.run();
    if (values.record && result.suites) expected[step.name] = record(result.suites);
    return judge(result, expected[step.name]);
  } catch (error) {
    return { passed: 0, failed: 1, problems: [String(error?.stack ?? error)] };
  }
}

const { steps, unlisted } = await listSteps();
const chosen = steps.filter(({ group }) => positionals.every((part) => group.split(' ').includes(part)));
if (chosen.length === 0) throw new Error(`no such part: ${positionals.join(' ')}; there are rust, js and package`);

for (const step of chosen) {
  console.log(`\n=== ${step.name}`);
  const start = performance.now();
  const { passed, failed, problems, unavailable = [] } = await runStep(step);
  if (failed > 0) broken.add(step.name);
  total.passed += passed;
  total.failed += failed;
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  summary.push(`${failed === 0 ? 'ok    ' : 'FAILED'} ${step.name}: ${passed} passed, ${failed} failed (${seconds} s)`);
  summary.push(...problems.map((problem) => `       ${problem}`));
  unlisted.push(...unavailable);
  console.log(summary.slice(-1 - problems.length).join('\n'));
}

if (values.record) writeFileSync(expectedFile, `${JSON.stringify(expected, null, 2)}\n`);
console.log(`\n=== summary\n${summary.join('\n')}`);
for (const name of unlisted) console.log(`       not run on this machine: ${name}`);
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed === 0 ? 0 : 1;
