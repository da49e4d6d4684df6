// What takes files from a running database, in a process of its own: faults.mjs <fault> <directory>.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, closeSync, openSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as wait } from 'node:timers/promises';
import { CairnDB } from 'cairndb';

const [fault, directory] = process.argv.slice(2);
const OPTIONS = { memtableBytes: 65_536, reclaimDelay: 0, syncInterval: 20 };
const KEYS = 200;
const contentOf = (index) => ({ index, filler: 'x'.repeat(1000) });
const files = (ending) => readdirSync(directory).filter((name) => name.endsWith(ending));
const limit = (...args) => execFileSync('prlimit', ['--pid', String(process.pid), ...args]);

async function openFilled(options) {
  const db = await CairnDB.open(directory, { ...OPTIONS, ...options });
  for (let index = 0; index < KEYS; index += 1) await db.write('t', `k${index}`, contentOf(index));
  await db.compact();
  assertHolds(db);
  return db;
}

function assertHolds(db) {
  for (let index = 0; index < KEYS; index += 1) assert.deepEqual(db.getSync('t', `k${index}`), contentOf(index));
}

/** Writes until one is refused; which were acknowledged, and the error. */
async function writeUntilRefused(db, most = 20_000) {
  for (let index = 0; index < most; index += 1) {
    try {
      await db.write('more', `k${index}`, contentOf(index));
    } catch (error) {
      return { acknowledged: index, error };
    }
  }
  return { acknowledged: most };
}

function assertHoldsMore(db, acknowledged) {
  for (let index = 0; index < acknowledged; index += 1) {
    assert.deepEqual(db.getSync('more', `k${index}`), contentOf(index));
  }
  assert.equal(db.getSync('more', `k${acknowledged}`), undefined, 'what was refused is not there');
}

/** Work of the background that failed is tried again by itself. */
async function untilItWorks(what) {
  for (let tries = 0; ; tries += 1) {
    try {
      return await what();
    } catch (error) {
      if (tries > 100 || !['ERR_CAIRN_FULL', 'ERR_CAIRN_IO'].includes(error.code)) throw error;
      await wait(100);
    }
  }
}

/** The cause is gone: everything works, without opening anew, and is there after it too. */
async function assertRecovers(db, acknowledged) {
  await untilItWorks(() => db.write('t', 'after', 1, { durability: 'full' }));
  await untilItWorks(() => db.flush());
  await db.compact();
  assertHoldsMore(db, acknowledged);
  await db.close();
  const again = await CairnDB.open(directory, OPTIONS);
  assertHolds(again);
  assertHoldsMore(again, acknowledged);
  assert.equal(again.getSync('t', 'after'), 1);
  assert.deepEqual((await again.verify()).damage, []);
  await again.close();
}

const faults = {
  /** `ulimit -f`: no file may become longer. */
  async fileSize() {
    const db = await openFilled();
    limit('--fsize=40000:unlimited');
    const { acknowledged, error } = await writeUntilRefused(db);
    assert.equal(error?.code, 'ERR_CAIRN_FULL', error?.stack);
    assertHolds(db);
    assertHoldsMore(db, acknowledged);
    limit('--fsize=unlimited:unlimited');
    await assertRecovers(db, acknowledged);
  },

  /** `ulimit -n`: no further file may be opened. */
  async openFiles() {
    const db = await openFilled();
    const taken = [];
    try {
      for (;;) taken.push(openSync('/dev/null'));
    } catch (error) {
      assert.equal(error.code, 'EMFILE');
    }
    const { acknowledged, error } = await writeUntilRefused(db);
    assert.equal(error?.code, 'ERR_CAIRN_IO', error?.stack);
    assertHolds(db);
    assertHoldsMore(db, acknowledged);
    await assert.rejects(db.compact(), { code: 'ERR_CAIRN_IO' });
    for (const file of taken) closeSync(file);
    await assertRecovers(db, acknowledged);
  },

  /** Nothing can be made or removed in the directory; what is open goes on. */
  async readOnly() {
    if (process.getuid() === 0) {
      process.setgid(65_534);
      process.setuid(65_534);
    }
    const db = await openFilled();
    chmodSync(directory, 0o555);
    const { acknowledged, error } = await writeUntilRefused(db);
    assert.equal(error?.code, 'ERR_CAIRN_IO', error?.stack);
    assert.match(error.message, /permission denied/i);
    assertHolds(db);
    assertHoldsMore(db, acknowledged);
    await assert.rejects(db.compact(), { code: 'ERR_CAIRN_IO' });
    chmodSync(directory, 0o755);
    await assertRecovers(db, acknowledged);
  },

  /** Somebody removes the files of tables. What is mapped can be read on; what is gone is told, and never empty. */
  async stonesRemoved() {
    const db = await openFilled();
    for (const name of files('.stone')) rmSync(join(directory, name));
    assertHolds(db);
    await db.write('u', 'k', 1, { durability: 'full' });
    await db.close();
    await assert.rejects(CairnDB.open(directory, OPTIONS), (error) => {
      assert.equal(error.code, 'ERR_CAIRN_CORRUPT', error.stack);
      assert.match(error.path, /\.stone$/);
      return true;
    });
  },

  /** Somebody removes the journal. It goes on into the removed file, and the next opening tells. */
  async journalRemoved() {
    const db = await openFilled();
    await db.write('u', 'k', 1, { durability: 'full' });
    for (const name of files('.journal')) rmSync(join(directory, name));
    await db.write('u', 'l', 1, { durability: 'full' });
    assert.deepEqual([db.getSync('u', 'k'), db.getSync('u', 'l')], [1, 1]);
    assertHolds(db);
    await db.close();
    await assert.rejects(CairnDB.open(directory, OPTIONS), { code: 'ERR_CAIRN_CORRUPT' });
  },

  /** Somebody removes the manifests: the next generation puts one in place that has all. */
  async manifestsRemoved() {
    const db = await openFilled();
    for (const name of files('.manifest')) rmSync(join(directory, name));
    assertHolds(db);
    await db.write('t', 'after', 1);
    await db.compact();
    await db.close();
    const again = await CairnDB.open(directory, OPTIONS);
    assertHolds(again);
    assert.equal(again.getSync('t', 'after'), 1);
    await again.close();
  },

  /** After the last one there is no next generation. Database files without a manifest are no new database. */
  async manifestsRemovedAtLast() {
    const db = await openFilled();
    await db.close();
    for (const name of files('.manifest')) rmSync(join(directory, name));
    await assert.rejects(CairnDB.open(directory, OPTIONS), { code: 'ERR_CAIRN_CORRUPT' });
  },

  /** Somebody removes the whole directory: it is told as soon as a file is to be made in it. */
  async directoryRemoved() {
    const db = await openFilled();
    await db.write('u', 'k', 1, { durability: 'full' });
    rmSync(directory, { recursive: true });
    assertHolds(db);
    const { error } = await writeUntilRefused(db);
    assert.equal(error?.code, 'ERR_CAIRN_IO', error?.stack);
    assertHolds(db);
    await assert.rejects(db.compact(), { code: 'ERR_CAIRN_IO' });
    await assert.rejects(db.close(), { code: 'ERR_CAIRN_IO' });
  },
};

await faults[fault]();
