// The take-over of PikoDB's files, killed before each of its steps.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ended, spawnFixture } from './helpers.mjs';
import { assertTables, copyOf, filesOf, pikoAt, sources } from './pikodb-files.mjs';

/** Takes over `directory` in a process that is killed before this step. */
function killedAt(t, directory, options, step) {
  const args = [directory, JSON.stringify(options)];
  return ended(spawnFixture(t, 'pikodb-takeover.mjs', args, { env: { ...process.env, KILL_AT: String(step) } }));
}

/** Does `work` for each number up to `last`, several at a time: most of it is waiting for a process and the disk. */
async function eachUpTo(last, work) {
  let next = 1;
  const worker = async () => {
    while (next <= last) {
      const step = next;
      next += 1;
      await work(step);
    }
  };
  await Promise.all(Array.from({ length: 6 }, worker));
}

for (const { name, folder, options, tables } of sources) {
  test(`${name} is taken over whole after a kill at every step`, async (t) => {
    const whole = await killedAt(t, copyOf(t, folder), options, 0);
    assert.equal(whole.code, 0, whole.stderr);
    const steps = Number(whole.stdout);
    assert.ok(steps > 3 * Object.keys(tables).length, `${steps} steps`);
    await eachUpTo(steps, async (step) => {
      const directory = copyOf(t, folder);
      const before = filesOf(directory);
      const { signal } = await killedAt(t, directory, options, step);
      assert.equal(signal, 'SIGKILL', `step ${step} of ${steps}`);
      assert.deepEqual(filesOf(directory), before);
      const db = pikoAt(t, directory, options);
      await db.start();
      await assertTables(db, tables);
      assert.deepEqual(db.takeover().refused, []);
      assert.equal(db.takeover().files.length, Object.keys(tables).length);
      await db.close();
    });
    t.diagnostic?.(`${steps} steps`);
  });
}
