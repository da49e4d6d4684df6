import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ended, newDirectory, openAt, spawnFixture } from './helpers.mjs';
import { runRounds } from './kills/rounds.mjs';

// The deep run does many more, with other seeds: node __test__/kills/run.mjs --rounds 500 --seed 2
const rounds = globalThis.Bun || globalThis.Deno ? 15 : 60;

test(`writers killed ${rounds} times in one directory lose nothing that must outlive them`, async (t) => {
  const total = await runRounds({ rounds, seed: 1 });
  t.diagnostic?.(`${total.checked} acknowledged writes checked`);
  assert.ok(total.checked > 20 * rounds, `${total.checked} acknowledged writes had to be there`);
  assert.ok(
    total.stones > rounds,
    `${total.stones} table files were begun, so flushes and merges went on all the time`,
  );
  const moments = ['ack', 'close', 'compact', 'drop', 'flush', 'opening'];
  if (rounds === 60) assert.deepEqual(Object.keys(total.moments).sort(), moments, 'it was killed at each of them');
});

test('what an instance was given outlives the process once it is closed, though others have the directory open', async (t) => {
  const directory = newDirectory(t);
  assert.equal((await ended(spawnFixture(t, 'closes-one.mjs', [directory]))).signal, 'SIGKILL');
  const db = await openAt(t, directory);
  assert.equal(await db.get('t', 'k'), 'written by the one that was closed');
});
