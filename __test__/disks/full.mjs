// Fills a small disk under a running database, and makes room again: full.mjs <file system> <level>.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { closeSync, openSync, readdirSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { CairnDB } from 'cairndb';
import { ended, nextLine } from '../helpers.mjs';
import { mount } from './machine.mjs';

const OPTIONS = { memtableBytes: 65_536, flushInterval: 5, syncInterval: 20, reclaimDelay: 0 };
const KEYS = 100;

const [type, level] = process.argv.slice(2);
const disk = type === 'child' ? '' : mount(type, 8);
const filler = join(disk, 'filler');
const files = (directory, ending) => readdirSync(directory).filter((name) => name.endsWith(ending));

function fillDisk() {
  const file = openSync(filler, 'w');
  for (const size of [1 << 18, 1 << 12, 1]) {
    try {
      for (;;) writeSync(file, Buffer.alloc(size));
    } catch (error) {
      assert.equal(error.code, 'ENOSPC');
    }
  }
  closeSync(file);
}

const contentOf = (index) => ({ index, filler: 'x'.repeat(1000) });

/** Writes until a write is refused, and returns the error. `expected` is what was acknowledged. */
async function writeUntilRefused(db, expected) {
  for (let index = expected.size; ; index += 1) {
    assert.ok(index < 50_000, 'a full disk refuses writes at last');
    const [table, key] = [`t${index % 2}`, `k${index % KEYS}`];
    try {
      await db.write(table, key, contentOf(index));
      expected.set(`${table} ${key}`, index);
      expected.count = index + 1;
    } catch (error) {
      return error;
    }
  }
}

function assertHolds(db, expected) {
  for (const [place, index] of expected) {
    assert.deepEqual(db.getSync(...place.split(' ')), contentOf(index), place);
  }
}

/** What works again once there is room may have to wait for the next try of the background. */
async function untilItWorks(what) {
  for (let tries = 0; ; tries += 1) {
    try {
      return await what();
    } catch (error) {
      if (error.code !== 'ERR_CAIRN_FULL' || tries > 100) throw error;
      await wait(100);
    }
  }
}

/** Whether something was done. If it was not, the disk was full. */
async function orFull(promise) {
  try {
    await promise;
    return true;
  } catch (error) {
    assert.equal(error.code, 'ERR_CAIRN_FULL', error.stack);
    return false;
  }
}

async function refusedWhileFull(db, expected, round) {
  const refused = await writeUntilRefused(db, expected);
  assert.equal(refused.code, 'ERR_CAIRN_FULL', refused.stack);
  assert.ok(refused.path.startsWith(disk), 'the error names the file');
  assertHolds(db, expected);
  // The background may make just enough room for what comes now; then it is done, and whole.
  const value = `${'x'.repeat(9000)} ${round}`;
  const batch = [0, 1].map((table) => ({ type: 'put', table: `t${table}`, key: 'batch', value }));
  const isDone = await orFull(db.batch(batch));
  assert.deepEqual(
    [0, 1].map((table) => db.getSync(`t${table}`, 'batch') === value),
    [isDone, isDone],
  );
  await orFull(db.compact());
  await orFull(db.flush());
  assertHolds(db, expected);
}

/** The disk fills and is emptied again, several times, under one database that stays open. */
async function fillAndEmpty() {
  const directory = join(disk, 'data');
  const db = await CairnDB.open(directory, { ...OPTIONS, durability: level });
  const expected = new Map();
  for (let round = 0; round < 2; round += 1) {
    for (let index = 0; index < KEYS; index += 1) {
      await db.write('t0', `k${index}`, contentOf(index));
      expected.set(`t0 k${index}`, index);
    }
    fillDisk();
    await refusedWhileFull(db, expected, round);
    // Time for the background to try, and fail, again.
    await wait(1200);
    rmSync(filler);
    await untilItWorks(() => db.write('t0', 'after', round));
    assertHolds(db, expected);
    await untilItWorks(() => db.flush());
  }
  await db.compact();
  const tables = db.listTables().length;
  assert.deepEqual((await db.verify()).damage, []);
  assert.deepEqual(
    [files(directory, '.stone').length, files(directory, '.tmp').length],
    [tables, 0],
    'nothing half-done stays',
  );
  await db.close();
  const again = await CairnDB.open(directory);
  assertHolds(again, expected);
  assert.equal(again.getSync('t0', 'after'), 1);
  await again.close();
}

/** The process is killed while the disk is full, and the database is opened on the full disk. */
async function killWhileFull() {
  const directory = join(disk, 'killed');
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), 'child', level, directory]);
  const end = ended(child);
  assert.equal(await nextLine(child), 'writing');
  fillDisk();
  const line = await nextLine(child);
  child.kill('SIGKILL');
  assert.equal((await end).stderr, '');
  const { code, acknowledged } = JSON.parse(line);
  assert.equal(code, 'ERR_CAIRN_FULL');
  const check = async () => {
    const db = await CairnDB.open(directory, OPTIONS);
    const count = await db.getTableSize('t');
    // From memory at most the end is gone; else nothing is. What was refused is not there.
    assert.ok(level === 'eventual' ? count <= acknowledged : count === acknowledged, `${count} of ${acknowledged}`);
    for (let index = 0; index < count; index += 1) assert.deepEqual(db.getSync('t', `k${index}`), contentOf(index));
    return db;
  };
  // Reading what is there needs no room.
  const full = await check();
  await assert.rejects(
    writeUntilRefused(full, new Map()).then((error) => Promise.reject(error)),
    { code: 'ERR_CAIRN_FULL' },
  );
  rmSync(filler);
  await untilItWorks(() => full.write('t', 'more', 1));
  await full.close();
}

async function child(directory) {
  const db = await CairnDB.open(directory, { ...OPTIONS, durability: level });
  let index = 0;
  for (; index < 100; index += 1) await db.write('t', `k${index}`, contentOf(index));
  await db.flush();
  console.log('writing');
  for (;;) {
    try {
      await db.write('t', `k${index}`, contentOf(index));
      index += 1;
      if (index % 20 === 0) await wait(1);
    } catch (error) {
      console.log(JSON.stringify({ code: error.code, acknowledged: index }));
      break;
    }
  }
  await wait(60_000);
}

if (type === 'child') await child(process.argv[4]);
else {
  await fillAndEmpty();
  await killWhileFull();
}
