// A take-over that is killed, wherever it is, is done again.

import assert from 'node:assert/strict';
import { mkdirSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { CairnDB } from 'cairndb';
import { Persistency } from 'cairndb/persistency';
import { ended, spawnFixture, throws } from './helpers.mjs';
import { filesOf, writeFiles } from './persistency/files.mjs';
import { contentFrom, contentOf, copyOf, openAt, originals, stateOfOriginals } from './persistency/helpers.mjs';

for (const { name, expected } of originals) {
  test(`killed at every step, the take-over of ${name} is done again, and the originals are as they were`, async (t) => {
    const content = [...contentFrom(expected())];
    let steps = 0;
    for (let last = 1; steps === 0; last += 1) {
      const folder = copyOf(t, name);
      const before = stateOfOriginals(folder);
      const end = await ended(spawnFixture(t, 'persistency-killed.mjs', [folder, `${last}`]));
      if (end.signal === null) {
        assert.equal(end.code, 0, end.stderr);
        steps = Number(end.stdout);
        assert.equal(steps, last - 1);
      }
      // And what does it again is killed there too.
      if (name === 'basic') await ended(spawnFixture(t, 'persistency-killed.mjs', [folder, `${last}`]));
      const store = new Persistency({ folder });
      assert.deepEqual([...contentOf(store)], content, `killed before step ${last}`);
      store.close();
      assert.deepEqual(stateOfOriginals(folder), before);
      rmSync(folder, { recursive: true });
    }
    t.diagnostic?.(`${steps} steps`);
    assert.ok(steps >= 15);
  });
}

test('a take-over that was killed half-way begins anew with what the files say then', async (t) => {
  const folder = copyOf(t, 'basic');
  const half = async () => {
    for (let last = 1; last < 100; last += 1) {
      rmSync(join(folder, '.cairndb'), { recursive: true, force: true });
      await ended(spawnFixture(t, 'persistency-killed.mjs', [folder, `${last}`]));
      const db = await CairnDB.open(join(folder, '.cairndb'));
      const records = await db.getTableSize('entries');
      await db.close();
      if (records > 0) return records;
    }
    return 0;
  };
  const records = await half();
  assert.ok(records > 0 && records < 51, `${records} of 51 were there when it was killed`);
  writeFiles(folder, filesOf('2.0.3', [{ key: 'other', value: 'content' }]));
  const store = openAt(t, folder);
  assert.deepEqual([...contentOf(store)], [...contentFrom([['other', 'content']])]);
});

test('a take-over that was killed half-way does not pass for a store when its originals are gone', async (t) => {
  const folder = copyOf(t, 'compacted');
  mkdirSync(join(folder, '.cairndb'));
  const running = { format: 1, state: 'running', system: 'persistency', tables: ['entries'], again: false };
  const state = JSON.stringify({ ...running, files: [], refused: [] });
  writeFileSync(join(folder, '.cairndb', 'takeover.json'), state);
  for (const name of ['entries.db', 'data.db']) unlinkSync(join(folder, name));
  throws(() => new Persistency({ folder }), 'ERR_CAIRN_DIRECTORY', /Put them back/);
});
