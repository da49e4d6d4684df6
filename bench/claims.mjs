#!/usr/bin/env node
// Measures what CairnDB claims about itself: prints each claim, the figure and whether it holds, and ends with exit code
// 1 if one does not. Takes a few minutes and 4 GB of disk for the time being.

import { mkdirSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { newFolder, runChild } from './children.mjs';
import { ANY_KEY, ONE_BY_ONE } from './claims/terms.mjs';
import { median } from './statistics.mjs';

const SMALL = 1000;
const LARGE = 1_000_000;
/** Filler that makes a record of about 1 KB; a million of them are 1 GB. */
const FILLER_BYTES = 950;
const NEEDED_BYTES = 4e9;
const MEMORY_RUNS = 5;

const folder = newFolder();
let failures = 0;

function judge(claim, figure, holds) {
  if (!holds) failures += 1;
  console.log(`${holds ? 'holds' : 'FAILS'}  ${claim}\n       ${figure}`);
}

function directory(name) {
  const path = join(folder, name);
  mkdirSync(path);
  return path;
}

async function fill(name, records, ...filler) {
  const path = directory(name);
  const { liveBytes } = await runChild('./claims/fill.mjs', [path, records, ...filler]);
  return { path, liveBytes };
}

const ratioOf = ({ small, large }, unit) =>
  `${small.toPrecision(3)} ${unit} with 1,000 records, ${large.toPrecision(3)} ${unit} with 1,000,000: ${(large / small).toFixed(2)} times`;

async function openTime(small, large) {
  const { open, read } = await runChild('./claims/open-time.mjs', [small, large]);
  for (const [what, times] of Object.entries({ Opening: open, 'Opening and the first read': read })) {
    judge(
      `${what}: 1,000,000 records take at most 3 times as long as 1,000`,
      ratioOf(times, 'ms'),
      times.large <= 3 * times.small,
    );
  }
}

async function writeCost(small, large) {
  for (const { which, how, ...costs } of await runChild('./claims/write-cost.mjs', [small, large])) {
    const claim = `A write that ${which}, ${how}: among 1,000,000 records at most 1.5 times the cost`;
    // All of 1,000 keys are soon in memory, and to overwrite them adds nothing to it; any of 1,000,000 adds an entry. In
    // groups, where that is most of the cost, the two are different work: the figure is told and not judged.
    const sameWork = which !== ANY_KEY || how === ONE_BY_ONE;
    if (sameWork) judge(claim, ratioOf(costs, 'µs'), costs.large <= 1.5 * costs.small);
    else console.log(`told   A write that ${which}, ${how}\n       ${ratioOf(costs, 'µs')}`);
  }
}

async function memory() {
  const empty = await fill('empty', 0);
  const full = await fill('full', LARGE, FILLER_BYTES);
  const used = { empty: [], full: [] };
  for (let run = 0; run < MEMORY_RUNS; run++) {
    for (const [name, { path }] of Object.entries({ empty, full })) {
      const { rss } = await runChild('./claims/memory.mjs', [path], { execArgv: ['--expose-gc'] });
      used[name].push(rss / 1e6);
    }
  }
  const [before, after] = [median(used.empty), median(used.full)];
  judge(
    `Opening ${(full.liveBytes / 1e9).toFixed(2)} GB takes less than 50 MB more memory than opening an empty database`,
    `${before.toFixed(1)} MB and ${after.toFixed(1)} MB: ${(after - before).toFixed(1)} MB more`,
    full.liveBytes >= 1e9 && after - before < 50,
  );
  rmSync(full.path, { recursive: true });
}

async function oneKey() {
  const { writes, inTurn, before, after } = await runChild('./claims/one-key.mjs', [directory('one-key')]);
  const isRight = ({ version, last, turnVersion, turnLast }) =>
    version === writes && last === writes - 1 && turnVersion === writes && turnLast === writes - 1;
  judge(
    'Of 10,000 concurrent writes to one key the last stands, as version 10,000, also after reopening',
    `version ${before.version} with write ${before.last + 1}, reopened version ${after.version} with write ${after.last + 1}`,
    isRight(before) && isRight(after),
  );
  judge(
    'Their versions are 1 to 10,000 in the order of the calls',
    `${inTurn} found the version before theirs`,
    inTurn === writes,
  );
}

async function space() {
  const { bytesBefore, bytes, stats } = await runChild('./claims/space.mjs', [directory('space')]);
  const { liveBytes, writeAmplification, spaceAmplification, readAmplification } = stats;
  const times = bytes / liveBytes;
  judge(
    'After overwriting 10,000 keys 100 times and compact(), all files have at most 1.3 times the live bytes',
    `${bytes} bytes for ${liveBytes} live ones: ${times.toFixed(3)} times (${bytesBefore} bytes before compact())`,
    times <= 1.3,
  );
  const figures = { write: writeAmplification, space: spaceAmplification, read: readAmplification };
  judge(
    'stats() reports the amplification of that',
    Object.entries(figures)
      .map(([name, figure]) => `${name} ${figure.toFixed(3)}`)
      .join(', '),
    Object.values(figures).every((figure) => figure > 0 && Number.isFinite(figure)),
  );
}

const { bavail, bsize } = statfsSync(folder);
if (bavail * bsize < NEEDED_BYTES) throw new Error(`${folder} needs ${NEEDED_BYTES / 1e9} GB of free disk`);

await oneKey();
await space();
const [small, large] = [await fill('small', SMALL), await fill('large', LARGE)];
await openTime(small.path, large.path);
await writeCost(small.path, large.path);
await memory();
console.log(failures === 0 ? '\nAll claims hold.' : `\n${failures} claims do not hold.`);
process.exitCode = failures === 0 ? 0 : 1;
