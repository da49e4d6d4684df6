// Cuts the power under writers: run.mjs <disk> --rounds N --seed S, in a mount namespace of its own. First of all, that
// a cut takes what nobody synced, and leaves what was: else the rounds would prove nothing.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { CairnDB } from 'cairndb';
import { ended } from '../helpers.mjs';
import { runRounds } from '../kills/rounds.mjs';
import { disks } from './disks.mjs';

const { values, positionals } = parseArgs({
  options: { rounds: { type: 'string' }, seed: { type: 'string' } },
  allowPositionals: true,
});
const [kind] = positionals;
const disk = await disks[kind]();

/** How many of 200 acknowledged writes at a level are there after a cut; the first of them, if not all. */
async function leftAfterCut(level) {
  const writer = fileURLToPath(new URL('unsynced.mjs', import.meta.url));
  const child = spawn(process.execPath, [writer, disk.directory, level]);
  const { signal, stderr, stdout } = await ended(child);
  assert.deepEqual([signal, stderr, stdout], ['SIGKILL', '', '200\n']);
  await disk.cutPower(0);
  const db = await CairnDB.open(disk.directory);
  const keys = (await db.get(level)).map(([key]) => key);
  // The rounds begin with nothing.
  await db.deleteTable(level);
  await db.close();
  assert.deepEqual(
    keys,
    Array.from(keys, (_, index) => `k${String(index).padStart(3, '0')}`),
  );
  return keys.length;
}

assert.equal(await leftAfterCut('full'), 200, 'what was synced is there');
const left = await leftAfterCut('os');
assert.ok(left < 200, 'a cut takes what was not synced');

const [rounds, seed] = [Number(values.rounds ?? 40), Number(values.seed ?? 1)];
const total = await runRounds({ rounds, seed, disk: { ...disk, again: `${kind} by __test__/powerloss/run.mjs` } });
console.log(`unsynced control: ${200 - left} of 200 writes lost`);
console.log(`powerloss ${kind}: ${rounds} rounds, ${total.checked} acknowledged writes checked, seed ${seed}`);
disk.end?.();
