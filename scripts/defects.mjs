#!/usr/bin/env node

// Shows that the tests can fail: breaks the engine on purpose, in one way after the other, in a copy of the sources, and
// runs the test that must notice.

import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { breakSource } from './lib/break-source.mjs';
import { defects } from './lib/defects.mjs';
import { root } from './lib/run.mjs';

const HELP = `Breaks the engine on purpose and runs the tests that must notice.

  node scripts/defects.mjs           all defects, one after the other: about half an hour
  node scripts/defects.mjs --list    their names
  node scripts/defects.mjs <text>    those whose names contain the text

The last line is \`defects: N caught, N missed\`; the exit code is 1 if one was missed.`;

/** A defect may make a test run for ever. One that does so is noticed as well. */
const LIMIT_MS = 10 * 60_000;

const { values, positionals } = parseArgs({
  options: { list: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
  allowPositionals: true,
});
if (values.help || values.list) {
  console.log(values.help ? HELP : defects.map(({ name }) => name).join('\n'));
  process.exit(0);
}

const copy = `${root}.cache/defects/`;

/** What git has, and what is new and not ignored. */
function copySources() {
  rmSync(copy, { recursive: true, force: true });
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root });
  for (const name of listed.toString().split('\0').filter(Boolean)) {
    mkdirSync(dirname(copy + name), { recursive: true });
    cpSync(root + name, copy + name);
  }
}

function cargo(args) {
  const env = { ...process.env, CARGO_TARGET_DIR: `${root}target/defects`, RUST_BACKTRACE: '0' };
  const { status, error, stdout, stderr } = spawnSync('cargo', args, {
    cwd: copy,
    env,
    timeout: LIMIT_MS,
    killSignal: 'SIGKILL',
    maxBuffer: 1 << 30,
  });
  return { passed: status === 0, late: error?.code === 'ETIMEDOUT', output: `${stdout}${stderr}` };
}

/** How the tests took a defect: 'caught', 'missed', or why neither can be said. */
function judge({ file, from, to, test }) {
  const intact = readFileSync(copy + file, 'utf8');
  writeFileSync(copy + file, breakSource(intact, { file, from, to }));
  try {
    const built = cargo(['test', '--quiet', '--no-run', ...test]);
    if (!built.passed) return `does not compile:\n${built.output}`;
    const { passed, late } = cargo(['test', '--quiet', ...test]);
    if (late) return 'caught (it never ended)';
    return passed ? 'missed' : 'caught';
  } finally {
    writeFileSync(copy + file, intact);
  }
}

copySources();
let caught = 0;
const missed = [];
for (const defect of defects.filter(({ name }) => positionals.every((text) => name.includes(text)))) {
  const verdict = judge(defect);
  console.log(`${verdict}: ${defect.name} (cargo test ${defect.test.join(' ')})`);
  if (verdict.startsWith('caught')) caught += 1;
  else missed.push(defect.name);
}
rmSync(copy, { recursive: true, force: true });
console.log(`defects: ${caught} caught, ${missed.length} missed`);
process.exitCode = missed.length === 0 ? 0 : 1;
