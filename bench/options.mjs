// What can be asked for on the command line.

import { parseArgs } from 'node:util';
import { sizes } from './data.mjs';
import { workloads } from './workloads/index.mjs';

const themes = [...new Set(workloads.map(({ theme }) => theme))].join(', ');

const HELP = `Compares CairnDB with other databases for Node.js, and with what bounds them all. Each workload runs against each
store in a process of its own, for about a second after a warm-up, in 3 rounds in which the stores take turns; what a
store then holds is compared with what was written.

  npm run bench                       what the README promises, with 100,000 records (1,000,000 to open): 45 minutes or more
  npm run bench -- --quick            the most telling part of it with 10,000 records, in under 3 minutes
  npm run bench -- --full             every workload: over an hour
  npm run bench -- --only <text>      every workload that has this in its name, title or theme, as in --only ycsb
  npm run bench:claims                what CairnDB claims about itself, without others

With each of them:
  --records <n>      with so many records, as in --records 1000000
  --value <size>     with values of ${Object.keys(sizes).join(', ')} only
  --kind <kind>      with values that are an object (default) or a buffer

Themes: ${themes}.

Records of more than 1 GB altogether are as many fewer. Without options the table is written to bench/results/node.md and
the plots beside it, else to bench/results/latest.md. better-sqlite3, RocksDB, and a newer Node.js for
the stores that need one, are installed into .cache/ on first use; a store that cannot be is reported as not measured.`;

const MOST_BYTES = 1e9;

function fail(message) {
  console.error(`${message}\n\n${HELP}`);
  process.exit(2);
}

function oneOf(name, given, allowed) {
  if (given !== undefined && !allowed.includes(given)) fail(`--${name} is one of ${allowed.join(', ')}, not ${given}.`);
  return given;
}

function count(given) {
  if (given === undefined) return undefined;
  const number = Number(given);
  if (!Number.isSafeInteger(number) || number < 1000) fail(`--records is a number from 1000 on, not ${given}.`);
  return number;
}

function parse() {
  try {
    return parseArgs({
      options: {
        quick: { type: 'boolean', default: false },
        full: { type: 'boolean', default: false },
        only: { type: 'string' },
        records: { type: 'string' },
        value: { type: 'string' },
        kind: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    return fail(error.message);
  }
}

/** What was asked for; prints the help and ends the process if it was that. */
export function readOptions() {
  const { help, quick, full, only, records, value, kind } = parse();
  if (help) {
    console.log(HELP);
    process.exit(0);
  }
  if (quick && full) fail('--quick and --full exclude each other.');
  return {
    quick,
    full,
    only: only?.toLowerCase(),
    records: count(records),
    value: oneOf('value', value, Object.keys(sizes)),
    kind: oneOf('kind', kind, ['object', 'buffer']),
  };
}

/** Whoever asks for a workload by its name is to get it, whatever run it belongs to. */
const setsOf = ({ quick, full, only }) => {
  if (full || only !== undefined) return ['quick', 'default', 'full'];
  return quick ? ['quick'] : ['quick', 'default'];
};

const matches = ({ id, theme, title }, only) =>
  only === undefined || [id, theme, title.toLowerCase()].some((text) => text.includes(only));

function recordsOf(workload, value, options) {
  const wanted = options.records ?? (options.quick ? 10_000 : (workload.records ?? 100_000));
  return Math.min(wanted, Math.floor(MOST_BYTES / sizes[value]));
}

/** The sizes of values that a workload is measured with. */
function valuesFor(workload, { value, quick }) {
  if (value !== undefined) return [value];
  return quick ? ['95B'] : (workload.sizes ?? ['95B']);
}

/** What is measured: each workload with the records that it is measured with. */
export function casesOf(options) {
  const sets = setsOf(options);
  const cases = workloads
    .filter((workload) => sets.includes(workload.set) && matches(workload, options.only))
    .flatMap((workload) =>
      valuesFor(workload, options).map((value) => ({
        workload,
        value,
        kind: options.kind ?? 'object',
        records: recordsOf(workload, value, options),
      })),
    );
  if (cases.length === 0) fail(`No workload has ${options.only} in its name, title or theme.`);
  return cases;
}

/** Whether nothing but the standard run was asked for, whose results are kept in the repository. */
export const isStandard = ({ quick, full, only, records, value, kind }) =>
  !quick && !full && [only, records, value, kind].every((option) => option === undefined);
