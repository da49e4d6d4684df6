// The table that people read.

import { cpus } from 'node:os';
import { RECORD_BYTES } from './data.mjs';
import { median } from './statistics.mjs';

const SUBJECT = 'cairndb';
/** A store that keeps everything in the memory of JavaScript, and so no database to be compared with only. */
const BOUND = 'map-file';

const formats = {
  'operations per second': (figure) =>
    figure < 1e4 ? Number(figure.toPrecision(3)).toLocaleString('en-US') : `${Math.round(figure / 1e3)}k`,
  milliseconds: (figure) => `${figure.toPrecision(2)} ms`,
  bytes: (figure) => `${(figure / 1e6).toPrecision(3)} MB`,
};

/** How many times as good `figure` is as `other`. More operations are better, and so are fewer milliseconds and bytes. */
export const ratio = (unit, figure, other) => (unit === 'operations per second' ? figure / other : other / figure);

/** The best of the stores in `names` as text, with how CairnDB compares: "1.25 × lmdb". */
function comparison({ unit }, medians, stores, names) {
  const present = names.filter((name) => medians[name] !== undefined);
  if (medians[SUBJECT] === undefined || present.length === 0) return '–';
  const best = present.reduce((a, b) => (ratio(unit, medians[a], medians[b]) > 1 ? a : b));
  return `${ratio(unit, medians[SUBJECT], medians[best]).toFixed(2)} × ${stores[best].label}`;
}

/** The median and how far the rounds are from it: "160k ±4 %". */
function cell({ unit }, figures) {
  if (figures.length === 0) return '–';
  const middle = median(figures);
  const spread = Math.max(...figures.map((figure) => Math.abs(figure / middle - 1)));
  return `${formats[unit](middle)} ±${Math.round(spread * 100)} %`;
}

/**
 * @param {object} results
 * @param {typeof import('./stores/catalog.mjs').stores} results.stores
 * @param {Record<string, string>} results.unavailable why a store could not be measured
 * @param {Record<string, import('./workloads.mjs').Workload>} results.workloads
 * @param {(workload: string, store: string) => number[]} results.figures of all rounds
 */
export function report({ stores, unavailable, workloads, figures, size, rounds }) {
  const names = Object.keys(stores);
  const peers = names.filter((name) => name !== SUBJECT);
  const databases = peers.filter((name) => name !== BOUND);
  const rows = Object.entries(workloads).map(([id, workload]) => {
    const measured = names.map((name) => [name, figures(id, name)]);
    const medians = Object.fromEntries(
      measured.map(([name, list]) => [name, list.length === 0 ? undefined : median(list)]),
    );
    return [
      workload.title,
      ...measured.map(([, list]) => cell(workload, list)),
      comparison(workload, medians, stores, databases),
      comparison(workload, medians, stores, peers),
    ];
  });
  const header = [
    'workload',
    ...names.map((name) => stores[name].label),
    'CairnDB / best database',
    'CairnDB / best peer',
  ];
  return `# Benchmark

${size.toLocaleString('en-US')} objects of ${RECORD_BYTES} bytes as JSON. Operations per second: the median of ${rounds} rounds, and how far the
farthest round is from it. Every figure comes from a process of its own, after a warm-up; the stores take turns; after
each run the store was opened again and every record compared. Of time and bytes less is better; every ratio above 1
says that CairnDB is ahead.

Node.js ${process.versions.node}, ${process.platform} ${process.arch}, ${cpus().length} × ${cpus()[0]?.model.trim()}, ${new Date().toISOString().slice(0, 10)}

${markdownTable([header, ...rows])}

What an acknowledged write survives: without "durable" the death of the process, with it a power cut too.

${names.map((name) => durabilityOf(stores[name], unavailable[name])).join('\n')}

lmdb and Map + file read synchronously; \`await get\` awaits what they return. Map + file returns the stored object itself,
keeps all of them in memory, in no order of keys, and is the bound of what a store in JavaScript can hope for.
`;
}

function durabilityOf({ label, durability }, unavailable) {
  if (unavailable !== undefined) return `- ${label}: **not measured**, it is not installed here (${unavailable})`;
  return `- ${label}: ${durability.os}. Durable: ${durability.full}.`;
}

function markdownTable([header, ...rows]) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(header), line(header.map((_, n) => (n === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}
