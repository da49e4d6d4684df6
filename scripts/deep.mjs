#!/usr/bin/env node
// The deep test: shares a budget of time among simulations that run seed after seed, and prints what they tried.

import { parseArgs } from 'node:util';
import { layers } from './lib/deep-layers.mjs';
import { mustRun, run } from './lib/run.mjs';

const help = `npm run test:deep -- [--minutes N] [--from SEED] [LAYER ...]

Runs the layers one after the other for N minutes in all (60 if it is not said), from seed SEED on (1), each on one
core. Other seeds are other histories: a second run should start where the first one ended. It ends with a table of
what was tried, with the seeds. A seed that fails ends its layer, prints the shortest history that still fails and one
command that replays it.

Layers, with their shares of the time:
${layers.map(({ name, share, about }) => `  ${name.padEnd(12)} ${String(share).padStart(2)}  ${about}`).join('\n')}
`;

const { values, positionals } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    from: { type: 'string', default: '1' },
    help: { type: 'boolean' },
  },
  allowPositionals: true,
});
const [minutes, from] = [Number(values.minutes), Number(values.from)];
const unknown = positionals.filter((name) => !layers.some((layer) => layer.name === name));
if (values.help || unknown.length > 0 || !(minutes > 0) || !Number.isSafeInteger(from)) {
  if (unknown.length > 0) console.error(`there is no layer ${unknown.join(', ')}\n`);
  console.log(help);
  process.exit(values.help ? 0 : 2);
}

const chosen = layers.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
const shares = chosen.reduce((sum, { share }) => sum + share, 0);
await mustRun('cargo', ['build', '--release', '-p', 'cairndb-sim', '--bin', 'deep'], { show: 'stderr' });

const rows = [];
for (const { name, share, command, read } of chosen) {
  const seconds = Math.ceil((minutes * 60 * share) / shares);
  console.log(`\n=== ${name}, ${seconds} s`);
  const [program, ...args] = command(seconds, from);
  const { code, output } = await run(program, args, { show: true });
  const found = read(output);
  const failed = code !== 0 || found === undefined;
  if (failed) process.exitCode = 1;
  rows.push([failed ? 'FAILED' : 'ok', name, `seeds: ${found?.seeds ?? 'unknown'}`, found?.counts ?? 'no counts']);
}

const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column].length)));
const line = (row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ');
console.log(`\n=== deep test, ${minutes} minutes\n${rows.map(line).join('\n')}`);
