// The tables that people read.

import { cpus } from 'node:os';
import { formatFigure, formatRecords, formatTitle } from './format.mjs';
import { promised } from './promises.mjs';
import { bestOf, measuredIn, medianOf, SUBJECT, storesOf, themesOf } from './results.mjs';
import { median, ratio, spread } from './statistics.mjs';

const titles = {
  reads: 'Reads',
  writes: 'Writes that survive the death of the process',
  durable: 'Writes that survive a power cut',
  stalls: 'The event loop',
  scans: 'Scans',
  changes: 'Deletes and overwrites',
  ycsb: 'YCSB',
  opening: 'Opening',
  memory: 'Memory',
  space: 'Bytes on disk',
  threads: 'Threads',
  tables: 'Tables',
};

/** How CairnDB compares with the best of some stores as text: "1.25 × lmdb". */
function comparison(results, one, names) {
  const figure = medianOf(results, one, SUBJECT);
  const best = bestOf(results, one, names);
  if (figure === undefined || best === undefined) return '–';
  return `${ratio(one.workload.unit, figure, best.figure).toFixed(2)} × ${results.stores[best.name].label}`;
}

/** The median and how far the rounds are from it: "160k ±4 %". */
function cell(unit, figures) {
  if (figures.length === 0) return '–';
  return `${formatFigure(unit, median(figures))} ±${Math.round(spread(figures) * 100)} %`;
}

function table([header, ...rows]) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(header), line(header.map((_, n) => (n === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}

function themeTable(results, cases) {
  const names = measuredIn(results, cases);
  const [databases, bounds] = [storesOf(results, 'database'), storesOf(results, 'bound')];
  const rows = cases.map((one) => [
    formatTitle(one, cases),
    ...names.map((name) => cell(one.workload.unit, results.figures(one, name))),
    comparison(results, one, databases),
    comparison(results, one, bounds),
  ]);
  const labels = names.map((name) => results.stores[name].label);
  return table([['workload', ...labels, 'CairnDB / best database', 'CairnDB / bound'], ...rows]);
}

function themeSection(results, { theme, cases }, plotOf) {
  const records = [...new Set(cases.map(formatRecords))].join('; ');
  const plot = plotOf(theme);
  const picture = plot ? `![${titles[theme]}](${plot})\n\n` : '';
  return `## ${titles[theme]}\n\n${records}.\n\n${picture}${themeTable(results, cases)}`;
}

function storeLine({ stores, unavailable, notes }, name) {
  const { label, how, durability } = stores[name];
  if (unavailable[name] !== undefined) return `- ${label}: **not measured**: ${unavailable[name]}`;
  const levels = Object.entries({ 'Not durable': durability.os, Durable: durability.full });
  const told = levels.filter(([, text]) => text !== undefined).map(([level, text]) => `${level}: ${text}.`);
  return [`- ${label}: ${[how, notes[name]].filter(Boolean).join('; ')}.`, ...told].join(' ');
}

function promiseTable(results) {
  const rows = promised(results).map(({ text, measured, verdict }) => [text, measured, verdict]);
  return rows.length === 0 ? 'Nothing of what this run measured.' : table([['promise', 'measured', ''], ...rows]);
}

function disturbedText({ limit, repeated, left }) {
  return `What was measured while other guests of the machine had more than ${limit * 100} % of its processors was measured
again, ${repeated} times altogether; ${left} figures are from such times all the same.`;
}

/** @param {(theme: string) => string | false} plotOf the file of a theme's plot, if it has one */
export function report(results, plotOf) {
  const { cases, rounds, stores, unavailable } = results;
  const present = Object.keys(stores).filter(
    (name) => unavailable[name] !== undefined || measuredIn(results, cases).includes(name),
  );
  return `# Benchmark

The median of ${rounds} rounds, and how far the farthest round is from it. Every figure comes from a process of its own,
after a warm-up; the stores take turns; what a store then holds was compared with what was written. Rates are operations
per second, and more is better; of everything else less is better. Every ratio above 1 says that CairnDB is ahead.
${disturbedText(results.disturbed)}

Node.js ${process.versions.node}, ${process.platform} ${process.arch}, ${cpus().length} × ${cpus()[0]?.model.trim()}, ${new Date().toISOString().slice(0, 10)}

${themesOf(results)
  .map((part) => themeSection(results, part, plotOf))
  .join('\n\n')}

## What is promised

${promiseTable(results)}

## The stores

How each is used, and what an acknowledged write of it survives: if not durable the death of the process, if durable a
power cut too.

${[...present.map((name) => storeLine(results, name)), ...results.crashes.map((crash) => `- ${crash}.`)].join('\n')}

lmdb, SQLite and the Map read synchronously; \`await get\` awaits what they return, or for the Map an async function.
Map + file returns the stored object itself and keeps all of them in memory.
`;
}
