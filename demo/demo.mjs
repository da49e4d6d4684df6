#!/usr/bin/env node
// Stores real records, kills the process that writes them, and shows what is there afterwards.

import { mkdtempSync, rmSync } from 'node:fs';
import { constants, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readCities } from './lib/data.mjs';
import { Screen } from './lib/screen.mjs';
import { showAll } from './lib/story.mjs';

const HELP = `CairnDB demo: stores real records, kills the process that writes them, shows what is there afterwards.

  npm run demo              builds CairnDB, then shows it in a new temporary directory, which is removed at the end
  npm run demo -- --keep    keeps that directory and prints its path
  npm run demo -- --help    prints this

Exit code 0: everything shown was so. 1: something was not. NO_COLOR=1 switches colours off.`;

function options() {
  try {
    const { values } = parseArgs({ options: { keep: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } });
    return values;
  } catch (error) {
    console.error(`${error.message}\n\n${HELP}`);
    return process.exit(2);
  }
}

const { keep, help } = options();
if (help) {
  console.log(HELP);
  process.exit(0);
}

const directory = mkdtempSync(join(tmpdir(), 'cairndb-demo-'));
if (!keep) process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(128 + constants.signals[signal]));

const screen = new Screen(process.stdout);
screen.heading('CairnDB: an embedded, durable key-value database');
screen.line(
  `Node.js ${process.versions.node}, ${process.platform} ${process.arch}, ${cpus().length} × ${cpus()[0]?.model.trim()}`,
);
screen.line(`Data: ${directory} (${keep ? 'kept' : 'removed at the end; --keep keeps it'})`);

const start = performance.now();
await showAll(screen, directory, readCities(), {
  sessions: 10_000,
  readings: 20_000,
  acknowledgements: 50_000,
  reads: 200_000,
});
const seconds = ((performance.now() - start) / 1000).toFixed(1);

const { checks, failures } = screen;
screen.line();
screen.heading(
  failures === 0 ? `All ${checks} checks held, in ${seconds} s.` : `${failures} of ${checks} checks did NOT hold.`,
);
screen.line(keep ? `The data is in ${directory}` : 'The data is removed.');
process.exitCode = failures === 0 ? 0 : 1;
