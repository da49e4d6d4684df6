#!/usr/bin/env node
// Lets processes increment shared counters, and kills one of them every thousand increments:
//   node __test__/increments/run.mjs --processes 8 --increments 10000
// The last line says what was done. The exit code is 1 if the sum is not exact.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { race } from './race.mjs';

const { values } = parseArgs({ options: { processes: { type: 'string' }, increments: { type: 'string' } } });
const processes = Number(values.processes ?? 8);
const increments = Number(values.increments ?? 10_000);
const parent = mkdtempSync(join(tmpdir(), 'cairndb-increments-'));
const began = performance.now();
try {
  const directory = join(parent, 'data');
  const { kills } = await race({ directory, processes, increments, counters: 4, perKill: 1000 });
  const seconds = ((performance.now() - began) / 1000).toFixed(0);
  console.log(`increments: ${processes} processes, ${increments} each, ${kills} kills, the sum is exact, ${seconds} s`);
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  rmSync(parent, { recursive: true, force: true });
}
