// What the deep test consists of. A layer is a command that runs for so many seconds and says what it tried.

import { readdirSync } from 'node:fs';
import { root } from './run.mjs';

/**
 * @typedef {object} Layer
 * @property {string} name
 * @property {string} about what it does, in a line
 * @property {number} share of the time, next to those of the others
 * @property {(seconds: number, from: number) => string[]} command what runs, from this seed on
 * @property {(output: string) => { seeds: string, counts: string } | undefined} read what its output says
 */

/**
 * A layer of the simulation: see `crates/sim/src/layers.rs`. It stops at the first seed that fails, and prints how to
 * replay it.
 */
function simulation(name, share, about) {
  const command = (seconds, from) =>
    `cargo run --release -q -p cairndb-sim --bin deep -- ${name} --seconds ${seconds} --from ${from}`.split(' ');
  const line = new RegExp(`^${name}: (\\d+) seeds from (\\d+), (.*), \\d+ s$`, 'gm');
  const read = (output) => {
    const [, done, first, counts] = [...output.matchAll(line)].at(-1) ?? [];
    return counts && { seeds: `${first} to ${Number(first) + Number(done) - 1}`, counts };
  };
  return { name, about, share, command, read };
}

/** Reads a line of output; what is between the parentheses of `line` is what was tried. */
const last = (line, seeds) => (output) => {
  const [, counts] = [...output.matchAll(line)].at(-1) ?? [];
  return counts && { seeds, counts };
};

const FUZZ_TARGETS = readdirSync(`${root}fuzz/fuzz_targets`).length;

/** All targets together take the seconds. It needs cargo-fuzz; without it the layer fails and says so. */
const fuzz = {
  name: 'fuzz',
  about: 'libFuzzer on every decoder, on whole directories, and on plans of operations and crashes',
  share: 6,
  command: (seconds) => ['node', 'scripts/fuzz.mjs', '--seconds', String(Math.ceil(seconds / FUZZ_TARGETS))],
  read: last(/^fuzz: (\d+ executions)$/gm, 'none'),
};

/** A round of a kill takes about this long, in seconds. */
const KILL = 0.7;

const kills = {
  name: 'kills',
  about: 'writers in real processes, killed at random moments; needs the addon (npm run build)',
  share: 3,
  command: (seconds, from) =>
    `node __test__/kills/run.mjs --rounds ${Math.ceil(seconds / KILL)} --seed ${from}`.split(' '),
  read(output) {
    const [, counts, seed] = /^kills: (.*), seed (\d+)$/m.exec(output) ?? [];
    return counts && { seeds: seed, counts };
  },
};

/** Takes as long as it takes, about half a minute. */
const corruption = {
  name: 'corruption',
  about: 'every bit, cut, sector and file of two small databases; the same whatever the seed',
  share: 1,
  command: () => 'cargo test --release -q -p cairndb-sim --test corruption -- --nocapture'.split(' '),
  read: last(/^test result: ok\. (\d+ passed)/gm, 'none'),
};

/** @type {Layer[]} */
export const layers = [
  simulation('crashes', 12, 'histories crashed at every change in every way; each state is recovered twice'),
  simulation('recoveries', 3, 'recoveries crashed at every change that they make'),
  simulation('lies', 1, 'histories crashed on a disk that acknowledges syncs seconds before it does them'),
  simulation('faults', 3, 'every operation of a history fails, in every way, once and from then on'),
  simulation('models', 2, 'long histories, with crashes and without, every answer compared with a model'),
  simulation('sharing', 2, 'processes that share a directory do one history between them, and are killed'),
  corruption,
  kills,
  fuzz,
];
