#!/usr/bin/env node
// Compares CairnDB with its peers. Each workload runs against each store in a process of its own, in rounds in which the
// stores take turns. Prints a Markdown table, and writes it to bench/results/latest.md.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { newFolder, runChild } from './children.mjs';
import { report } from './report.mjs';
import { stores } from './stores/catalog.mjs';
import { workloads } from './workloads.mjs';

const HELP = `Compares CairnDB with lmdb, classic-level, and a Map with a file.

  npm run bench             with 100,000 records
  npm run bench -- --quick  with 10,000 records, in under three minutes

The table is also written to bench/results/latest.md.`;

const ROUNDS = 3;

const { values } = parseArgs({ options: { quick: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } });
if (values.help) {
  console.log(HELP);
  process.exit(0);
}

const size = values.quick ? 10_000 : 100_000;
const folder = newFolder();
const figures = new Map();
const figuresOf = (workload, store) => figures.get(`${workload} ${store}`) ?? [];
const failures = [];
const unavailable = {};

async function measure(workload, store) {
  const directory = mkdtempSync(join(folder, 'run-'));
  try {
    const message = await runChild('./child.mjs', [store, workload, size, directory]);
    if (message.unavailable !== undefined) unavailable[store] = message.unavailable;
    else figures.set(`${workload} ${store}`, [...figuresOf(workload, store), message.figure]);
  } catch (error) {
    failures.push(`${stores[store].label}, ${workloads[workload].title}: ${error.message}`);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

for (let round = 0; round < ROUNDS; round++) {
  for (const workload of Object.keys(workloads)) {
    console.error(`round ${round + 1} of ${ROUNDS}: ${workloads[workload].title}`);
    const names = Object.keys(stores).filter((name) => unavailable[name] === undefined);
    // Another store begins each round, so that none always runs after the same one.
    const first = round % names.length;
    for (const store of [...names.slice(first), ...names.slice(0, first)]) await measure(workload, store);
  }
}

const text = report({ stores, unavailable, workloads, figures: figuresOf, size, rounds: ROUNDS });
console.log(text);
mkdirSync(new URL('./results/', import.meta.url), { recursive: true });
writeFileSync(new URL('./results/latest.md', import.meta.url), text);
for (const failure of failures) console.error(`FAILED ${failure}`);
process.exitCode = failures.length === 0 ? 0 : 1;
