#!/usr/bin/env node
// How long the command line takes to start, beside a Node.js that does nothing.
//   node bench/cli.mjs                 medians of 21 rounds in which all take turns
//   node bench/cli.mjs --rounds 51

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { CairnDB } from 'cairndb';

const RECORDS = 1_000_000;
const TOGETHER = 10_000;
const program = fileURLToPath(new URL('../dist/cairn.mjs', import.meta.url));

async function fill(directory) {
  const db = await CairnDB.open(directory);
  for (let first = 0; first < RECORDS; first += TOGETHER) {
    const write = (_, index) =>
      db.write('records', `key-${first + index}`, { number: first + index, text: 'some text' });
    await Promise.all(Array.from({ length: TOGETHER }, write));
  }
  await db.close();
}

function milliseconds(args, expected) {
  const begin = performance.now();
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  const taken = performance.now() - begin;
  if (status !== 0 || !expected.test(stdout)) throw new Error(`${args.join(' ')}: ${stdout}${stderr}`);
  return taken;
}

const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '21' } } });
const parent = mkdtempSync(join(tmpdir(), 'cairndb-bench-'));
try {
  const directory = join(parent, 'data');
  await fill(directory);
  const cases = [
    { name: 'node -e 0', args: ['-e', '0'], expected: /^$/, times: [] },
    { name: 'cairn --version', args: [program, '--version'], expected: /^\d+\.\d+\.\d+/, times: [] },
    { name: 'cairn --help', args: [program, '--help'], expected: /^cairn/, times: [] },
    { name: 'cairn <dir> count', args: [program, directory, 'count'], expected: /^1000000\n$/, times: [] },
    { name: 'cairn <dir> get', args: [program, directory, 'get', 'records', 'key-4711'], expected: /4711/, times: [] },
  ];
  for (let round = 0; round < Number(values.rounds); round += 1) {
    for (const { args, expected, times } of cases) times.push(milliseconds(args, expected));
  }
  const base = median(cases[0].times);
  console.log(`${RECORDS} records; medians of ${values.rounds} rounds, Node.js ${process.version}`);
  for (const { name, times } of cases) {
    const taken = median(times);
    console.log(
      `${name.padEnd(20)}${taken.toFixed(1).padStart(8)} ms${(taken / base).toFixed(2).padStart(8)} times node -e 0`,
    );
  }
} finally {
  rmSync(parent, { recursive: true, force: true });
}
