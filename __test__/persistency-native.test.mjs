// The synchronous calls of the addon, past the facade.

import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { newDirectory, onEnd, openAt } from './helpers.mjs';

const native = createRequire(import.meta.url)('../native.cjs');
const OPTIONS = { syncInterval: 1000, flushInterval: 100, reclaimDelay: 0, keepGenerations: 1 };
const [EVENTUAL, OS, FULL] = [0, 1, 2];

/** Opens a directory until the end of the test. What is settled later is pushed to `settled`. */
function openSync(t, directory, settled = []) {
  const options = { ...OPTIONS, memtableBytes: 65_536, mmap: true, shared: false, readOnly: false, sha256: false };
  const handle = native.openSync(directory, options, (...outcome) => settled.push(outcome));
  onEnd(t, () => handle.closeSync());
  return handle;
}

/** A request that puts bytes under a key of the table `t`; without bytes it deletes. */
function request(key, bytes) {
  const head = [bytes === undefined ? 1 : 0, 1, 0, 't'.charCodeAt(0), key.length, 0, ...Buffer.from(key)];
  if (bytes === undefined) return Buffer.from(head);
  return Buffer.concat([Buffer.from([...head, 0]), Buffer.from(Uint32Array.of(bytes.length).buffer), bytes]);
}

const commit = (handle, bytes, level = FULL) => handle.commitSync(bytes, bytes.length, level);

test('openSync, commitSync, dropTableSync and closeSync do what they say, and wait for it', async (t) => {
  const directory = newDirectory(t);
  const handle = openSync(t, directory);
  for (const level of [EVENTUAL, OS, FULL]) {
    assert.deepEqual(commit(handle, request('k', Buffer.from('v')), level), Float64Array.of(level + 1));
  }
  assert.deepEqual(commit(handle, request('none')), Float64Array.of(0));
  assert.deepEqual(commit(handle, request('k')), Float64Array.of(-1));
  assert.equal(handle.dropTableSync('t'), true);
  assert.equal(handle.dropTableSync('t'), false);
  assert.deepEqual(handle.listTables(), []);
  commit(handle, request('k', Buffer.from('left')));
  assert.equal(handle.closeSync(), undefined);
  assert.equal(handle.closeSync(), undefined);
  // The directory is free at once.
  const db = await openAt(t, directory);
  assert.equal((await db.get('t', 'k')).toString(), 'left');
});

test('commitSync comes behind all that is queued, and takes nothing from its tickets', async (t) => {
  const settled = [];
  const handle = openSync(t, newDirectory(t), settled);
  const tickets = [];
  for (let index = 0; index < 20; index += 1) {
    const large = request('k', Buffer.alloc(300_000, index));
    tickets.push(handle.commit(large, large.length, index % 2 === 0 ? FULL : OS));
    assert.deepEqual(commit(handle, request('k', Buffer.from('small'))), Float64Array.of(2 * index + 2));
    assert.equal(handle.getRecord('t', 'k').value.toString(), 'small');
  }
  const drop = handle.dropTable('t');
  assert.deepEqual(commit(handle, request('k', Buffer.from('after'))), Float64Array.of(1));
  assert.equal(await drop, true);
  handle.closeSync();
  while (settled.length < tickets.length) await new Promise(setImmediate);
  assert.deepEqual(
    settled,
    tickets.map((ticket) => [null, ticket, null]),
  );
});

test('commit says what became of each operation, unless all of them have written', async (t) => {
  const settled = [];
  const handle = openSync(t, newDirectory(t), settled);
  const [put, remove] = [request('k', Buffer.from('v')), request('k')];
  const both = Buffer.concat([put, remove, remove]);
  assert.equal(handle.commit(put, put.length, OS), null);
  assert.deepEqual(handle.commit(both, both.length, OS), Float64Array.of(2, -1, 0));
  const tickets = [put, both].map((bytes) => handle.commit(bytes, bytes.length, FULL));
  while (settled.length < tickets.length) await new Promise(setImmediate);
  assert.deepEqual(settled, [
    [null, tickets[0], null],
    [null, tickets[1], Float64Array.of(2, -1, 0)],
  ]);
});

test('settle tells what is done without a turn of the event loop, and nothing twice', async (t) => {
  const later = [];
  const handle = openSync(t, newDirectory(t), later);
  const [put, remove] = [request('k', Buffer.from('v')), request('none')];
  const tickets = [put, remove].map((bytes) => handle.commit(bytes, bytes.length, FULL));
  const settled = [];
  while (settled.length < tickets.length) handle.settle((...outcome) => settled.push(outcome));
  assert.deepEqual(settled, [
    [null, tickets[0], null],
    [null, tickets[1], Float64Array.of(0)],
  ]);
  handle.closeSync();
  for (let turn = 0; turn < 10; turn += 1) await new Promise(setImmediate);
  assert.deepEqual(later, []);
});

test('what settle was not asked for is settled by itself, though a settle has found nothing', async (t) => {
  const settled = [];
  const handle = openSync(t, newDirectory(t), settled);
  const put = request('k', Buffer.from('v'));
  for (let round = 0; round < 20; round += 1) {
    const ticket = handle.commit(put, put.length, FULL);
    handle.settle((...outcome) => settled.push(outcome));
    while (settled.length === 0) await new Promise(setImmediate);
    assert.deepEqual(settled.splice(0), [[null, ticket, null]]);
  }
});

test('closeSync does what is queued, and those who close as well are told', async (t) => {
  const directory = newDirectory(t);
  const handle = openSync(t, directory);
  const large = request('k', Buffer.alloc(300_000, 7));
  handle.commit(large, large.length, FULL);
  const closing = handle.close();
  handle.closeSync();
  await closing;
  assert.throws(() => commit(handle, request('k', Buffer.from('late'))), { code: 'ERR_CAIRN_CLOSED' });
  assert.throws(() => handle.dropTableSync('t'), { code: 'ERR_CAIRN_CLOSED' });
  const db = await openAt(t, directory);
  assert.deepEqual(await db.get('t', 'k'), Buffer.alloc(300_000, 7));
});

test('errors are thrown with their codes', async (t) => {
  const directory = newDirectory(t);
  mkdirSync(dirname(directory), { recursive: true });
  const file = join(dirname(directory), 'file');
  writeFileSync(file, '');
  assert.throws(() => openSync(t, file), { code: 'ERR_CAIRN_DIRECTORY' });
  const handle = openSync(t, directory);
  assert.throws(() => handle.commitSync(Buffer.from([0]), 2, FULL), { code: 'ERR_CAIRN_INTERNAL' });
  assert.throws(() => commit(handle, Buffer.from([3])), { code: 'ERR_CAIRN_INTERNAL' });
  assert.throws(() => commit(handle, request('k', Buffer.from('v')), 9), { code: 'ERR_CAIRN_INTERNAL' });
  assert.throws(() => commit(handle, request('')), { code: 'ERR_CAIRN_INVALID_KEY' });
  assert.deepEqual(handle.listTables(), []);
});

test('an opening that waits and one that does not share the directory', async (t) => {
  const directory = newDirectory(t);
  const [db, handle] = [openAt(t, directory), openSync(t, directory)];
  commit(handle, request('k', Buffer.from('v')));
  assert.equal((await (await db).get('t', 'k')).toString(), 'v');
});
