#!/usr/bin/env node
// Runs the fuzzers of `fuzz` with libFuzzer, one after the other.
//   node scripts/fuzz.mjs --seconds N [--sanitizer none|address] [target ...]
// Needs cargo-fuzz and a C++ compiler. What is found new goes to .cache/fuzz/<target>, what fails to fuzz/artifacts.
// Its last line is `fuzz: N executions`.

import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { cache, root, run } from './lib/run.mjs';

const { values, positionals } = parseArgs({
  options: { seconds: { type: 'string' }, sanitizer: { type: 'string', default: 'none' } },
  allowPositionals: true,
});
const seconds = Number(values.seconds);
const targets = readdirSync(`${root}fuzz/fuzz_targets`).map((name) => name.replace(/\.rs$/, ''));
const chosen = positionals.length > 0 ? positionals : targets;
const unknown = chosen.filter((name) => !targets.includes(name));
if (!(seconds >= 1) || unknown.length > 0) {
  console.error(`usage: node scripts/fuzz.mjs --seconds N [--sanitizer none|address] [${targets.join('|')} ...]`);
  process.exit(2);
}

// The compiler is a stable one; this lets it count which branches are taken.
const env = { ...process.env, RUSTC_BOOTSTRAP: '1', RUST_BACKTRACE: '0' };
const needs = [
  ['cargo fuzz', ['fuzz', '--version'], 'cargo', 'cargo install cargo-fuzz'],
  ['a C++ compiler', ['--version'], 'c++', 'apt-get install g++, or the like'],
];
for (const [what, args, command, remedy] of needs) {
  if ((await run(command, args, { env })).code !== 0) {
    console.error(`the fuzzers need ${what}, which is not there: ${remedy}`);
    process.exit(2);
  }
}

const build = ['fuzz', 'build', '--release', '--debug-assertions', '--sanitizer', values.sanitizer];
for (const target of chosen) {
  const { code } = await run('cargo', [...build, target], { env, show: true });
  if (code !== 0) process.exit(1);
}

let total = 0;
for (const target of chosen) {
  const found = `${cache}fuzz/${target}`;
  const artifacts = `${root}fuzz/artifacts/${target}/`;
  for (const folder of [found, artifacts]) mkdirSync(folder, { recursive: true });
  const seeds = `${root}fuzz/corpus/${target}`;
  const limits = ['-max_len=8192', '-timeout=10', '-rss_limit_mb=1024', '-malloc_limit_mb=64'];
  const args = [
    'fuzz',
    'run',
    '--release',
    '--debug-assertions',
    '--sanitizer',
    values.sanitizer,
    target,
    found,
    seeds,
  ];
  const options = [`-max_total_time=${seconds}`, '-print_final_stats=1', `-artifact_prefix=${artifacts}`, ...limits];
  const { code, output } = await run('cargo', [...args.filter(existing), '--', ...options], { env });
  const executions = Number(/stat::number_of_executed_units: (\d+)/.exec(output)?.[1] ?? 0);
  total += executions;
  console.log(`${target}: ${executions} executions, ${Math.round(executions / seconds)} a second`);
  if (code !== 0 || executions === 0) {
    console.log(output.slice(-4000));
    process.exitCode = 1;
  }
}
console.log(`fuzz: ${total} executions`);

/** A corpus that is not there yet is no argument. */
function existing(argument) {
  return !argument.startsWith(root) || existsSync(argument);
}
