// A stop of an import or an export at any moment leaves a sound database, whole batches, and no part of a file under its
// name; running it again completes it.

import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { ended, newDirectory } from '../helpers.mjs';
import { fileOf, imports, inDatabase, newFolder, prints, start } from './helpers.mjs';

const RECORDS = 20_000;
const MOMENTS = 50;
const KILLS = 10;

/** Records of two tables by turns, so that what is there is the beginning of them or is not. */
const LINES = Array.from({ length: RECORDS }, (_, index) => {
  const record = { table: index % 2 === 0 ? 'even' : 'odd', key: String(index).padStart(6, '0'), value: { index } };
  return JSON.stringify({
    ...record,
    version: 1 + (index % 5),
    timestamp: 1_700_000_000_000 + index,
    expiration: null,
  });
});
const TEXT = `${LINES.join('\n')}\n`;

/** How many records are there, which must be the first ones of the file, in a database that is sound. */
async function sound(directory) {
  if (!existsSync(directory)) return 0;
  return inDatabase(directory, async (db) => {
    assert.deepEqual((await db.verify()).damage, []);
    const [even, odd] = [await db.getTableSize('even'), await db.getTableSize('odd')];
    assert.ok(even - odd === 0 || even - odd === 1, `${even} even, ${odd} odd records`);
    const last = String(even + odd - 1).padStart(6, '0');
    if (even + odd > 0) assert.ok(await db.has((even + odd) % 2 === 1 ? 'even' : 'odd', last));
    return even + odd;
  });
}

function assertStopped({ code, signal, stderr }, by) {
  // Before Node.js has loaded the program, the signal ends the process by itself.
  if (by === 'SIGINT' && code !== null) assert.equal(code, 130, stderr);
  else assert.equal(signal, by, stderr);
  assert.equal(stderr, '');
}

/** Stops an import in the moment after `bytes` of its input were given to it, and as it goes on reading. */
async function stoppedImport(t, directory, bytes, by) {
  const child = start(t, [directory, 'import', '--from', 'jsonl']);
  const end = ended(child);
  await new Promise((resolve) => child.stdin.write(TEXT.slice(0, bytes), resolve));
  child.kill(by);
  return end;
}

for (const [by, moments] of [
  ['SIGINT', MOMENTS],
  ['SIGKILL', KILLS],
]) {
  test(`${by} at ${moments} moments of an import leaves the first records, whole and sound`, async (t) => {
    const found = new Set();
    for (let moment = 0; moment < moments; moment += 1) {
      const directory = newDirectory(t);
      assertStopped(await stoppedImport(t, directory, Math.floor((TEXT.length * moment) / moments), by), by);
      const count = await sound(directory);
      found.add(count);
      if (moment % 10 !== 5) continue;
      await imports(t, directory, [fileOf(t, 'all.jsonl', TEXT)]);
      assert.equal(await prints(t, [directory, 'export']), sorted);
    }
    assert.ok(found.size > 2, `stops after ${[...found].join(', ')} records`);
  });
}

/** The lines as an export gives them: by table. */
const sorted = `${[...LINES].sort().join('\n')}\n`;

async function exportedDatabase(t) {
  const directory = newDirectory(t);
  await imports(t, directory, [fileOf(t, 'all.jsonl', TEXT)]);
  return directory;
}

for (const [by, moments] of [
  ['SIGINT', MOMENTS],
  ['SIGKILL', KILLS],
]) {
  test(`${by} at ${moments} moments of an export leaves no part of a file under its name`, async (t) => {
    const directory = await exportedDatabase(t);
    const folder = newFolder(t);
    const output = join(folder, 'all.jsonl');
    const begin = performance.now();
    await prints(t, [directory, 'export', '-o', output]);
    const whole = performance.now() - begin;
    const parts = () => readdirSync(folder).filter((name) => name !== 'all.jsonl');
    const before = readFileSync(output, 'utf8');
    assert.equal(before, sorted);
    for (let moment = 0; moment < moments; moment += 1) {
      const child = start(t, [directory, 'export', '-o', output]);
      const end = ended(child);
      await setTimeout((whole * moment) / moments);
      child.kill(by);
      const { code, signal, stderr } = await end;
      if (code !== 0) assertStopped({ code, signal, stderr }, by);
      assert.equal(readFileSync(output, 'utf8'), sorted);
      if (by === 'SIGINT') assert.deepEqual(parts(), []);
      else for (const name of parts()) assert.match(name, /^all\.jsonl\.\d+\.part$/);
    }
    assert.equal(await sound(directory), RECORDS);
  });
}

test('an export that is stopped for the first time leaves nothing under its name', async (t) => {
  const directory = await exportedDatabase(t);
  const folder = newFolder(t);
  const output = join(folder, 'never.jsonl');
  const child = start(t, [directory, 'export', '-o', output]);
  const end = ended(child);
  // Stopped as soon as there is a part.
  while (child.exitCode === null && readdirSync(folder).length === 0) await setTimeout(1);
  child.kill('SIGINT');
  const { code } = await end;
  // There is nothing, or all of it: the signal may also come when it is done and the process is about to end.
  if (code !== 0 && readdirSync(folder).length === 0) return;
  assert.deepEqual(readdirSync(folder), ['never.jsonl']);
  assert.equal(readFileSync(output, 'utf8'), sorted);
});

test('an export to a program that reads no further ends in peace', async (t) => {
  const directory = await exportedDatabase(t);
  const child = start(t, [directory, 'export']);
  child.stdout.once('data', () => child.stdout.destroy());
  const end = new Promise((resolve) => child.once('close', (code, signal) => resolve({ code, signal })));
  let stderr = '';
  child.stderr.on('data', (text) => {
    stderr += text;
  });
  assert.deepEqual(await end, { code: 0, signal: null });
  assert.equal(stderr, '');
});

test('SIGINT ends an import that waits for its input', async (t) => {
  const directory = newDirectory(t);
  const child = start(t, [directory, 'import', '--from', 'jsonl']);
  const end = ended(child);
  child.stdin.write(`${LINES.slice(0, 2).join('\n')}\n`);
  while (!existsSync(directory)) await setTimeout(10);
  child.kill('SIGINT');
  assertStopped(await end, 'SIGINT');
  assert.ok((await sound(directory)) <= 2);
});
