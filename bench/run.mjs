#!/usr/bin/env node
// Compares CairnDB with its peers; --help says how. Prints a Markdown table, and writes it and plots to bench/results.

import { mkdirSync, writeFileSync } from 'node:fs';
import { newFolder } from './children.mjs';
import { measureAll } from './measure.mjs';
import { casesOf, isStandard, readOptions } from './options.mjs';
import { plots } from './plot.mjs';
import { report } from './report.mjs';

const ROUNDS = 3;
const SECONDS = { quick: 0.25, other: 1 };

const options = readOptions();
const name = isStandard(options) ? 'node' : 'latest';
const results = await measureAll(casesOf(options), {
  folder: newFolder(),
  rounds: ROUNDS,
  seconds: options.quick ? SECONDS.quick : SECONDS.other,
  quick: options.quick,
});

const folder = new URL('./results/', import.meta.url);
mkdirSync(folder, { recursive: true });
const drawings = plots(results);
for (const { theme, svg } of drawings) writeFileSync(new URL(`${name}-${theme}.svg`, folder), svg);
const text = report(results, (theme) => drawings.some((plot) => plot.theme === theme) && `${name}-${theme}.svg`);
writeFileSync(new URL(`${name}.md`, folder), text);
console.log(text);
for (const failure of results.failures) console.error(`FAILED ${failure}`);
process.exitCode = results.failures.length === 0 ? 0 : 1;
