import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as immediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { CairnDB, CairnError } from 'cairndb';

/** @typedef {import('node:test').TestContext} TestContext */

const native = createRequire(import.meta.url)('../native.cjs');

/** @type {WeakMap<TestContext, (() => unknown)[]>} */
const cleanups = new WeakMap();

/**
 * Runs `cleanup` after the test, the last one first: a database is closed before its directory is removed.
 * @param {TestContext} t
 * @param {() => unknown} cleanup
 */
export function onEnd(t, cleanup) {
  const known = cleanups.get(t);
  if (known) return known.push(cleanup);
  const list = [cleanup];
  cleanups.set(t, list);
  t.after(async () => {
    for (const step of list.reverse()) await step();
  });
}

/** A path for a database, in a directory that is removed after the test. */
export function newDirectory(t) {
  const parent = mkdtempSync(join(tmpdir(), 'cairndb-test-'));
  onEnd(t, () => rmSync(parent, { recursive: true, force: true }));
  return join(parent, 'data');
}

/** Opens `directory` until the end of the test. */
export async function openAt(t, directory, options) {
  const db = await CairnDB.open(directory, options);
  onEnd(t, () => db.close());
  return db;
}

/** Opens a new database until the end of the test. */
export function open(t, options) {
  return openAt(t, newDirectory(t), options);
}

/** Starts a thread that does a job of fixtures/worker.mjs with a directory; `end` resolves to its exit code. */
export function startWorker(t, job, directory, more = {}) {
  const worker = new Worker(new URL('./fixtures/worker.mjs', import.meta.url), {
    workerData: { job, directory, ...more },
  });
  onEnd(t, () => worker.terminate());
  const end = new Promise((resolve, reject) => {
    worker.once('error', reject);
    worker.once('exit', resolve);
  });
  return { worker, end };
}

/** Calls `inTurn` again and again while another thread counts up, with what reads the number and looks that it is not too old. */
export async function readWhileCounted(t, db, turns, inTurn) {
  await db.write('t', 'counted', { number: 0 });
  const acknowledged = new SharedArrayBuffer(4);
  const count = new Int32Array(acknowledged);
  let ended = false;
  const end = startWorker(t, 'countUp', db.directory, { acknowledged }).end.finally(() => {
    ended = true;
  });
  while (!ended) {
    for (let turn = 0; turn < turns; turn += 1) {
      await inTurn(() => {
        const before = Atomics.load(count, 0);
        const { number } = db.getSync('t', 'counted');
        assert.ok(number >= before, `${number} was read after ${before} was written`);
      });
    }
    await immediate();
  }
  await end;
}

/** Closes `db` and opens its directory again, so that what is read has been on disk. */
export async function reopen(t, db, options) {
  await db.close();
  return openAt(t, db.directory, options);
}

/** `db` as it is, and then again after its directory was opened anew: what is read has been on disk. */
export async function* alsoReopened(t, db, options) {
  yield db;
  yield reopen(t, db, options);
}

function isRefusal(code, pattern) {
  return (error) => {
    assert.ok(error instanceof CairnError, `a CairnError, not ${error?.stack ?? error}`);
    assert.equal(error.code, code, error.message);
    if (pattern !== undefined) assert.match(error.message, pattern);
    return true;
  };
}

/** Asserts that `call` returns a promise that rejects with `code`; a synchronous throw fails. */
export async function rejects(call, code, pattern) {
  let promise;
  assert.doesNotThrow(() => {
    promise = call();
  }, 'an asynchronous method never throws synchronously');
  await assert.rejects(promise, isRefusal(code, pattern));
}

/** Asserts that `call` throws synchronously with `code`. */
export function throws(call, code, pattern) {
  assert.throws(call, isRefusal(code, pattern));
}

/** Asserts that `call` rejects with `code`, and that not even its table came into being. */
export async function refusesToWrite(db, call, code, pattern) {
  await rejects(call, code, pattern);
  await db.flush();
  assert.deepEqual(db.listTables(), []);
}

/** Opens `directory` past the facade, until the end of the test. */
export async function openRaw(t, directory) {
  const options = { durability: 1, syncInterval: 1000, flushInterval: 100, reclaimDelay: 0, keepGenerations: 1 };
  const handle = await native.open(
    directory,
    { ...options, memtableBytes: 65_536, mmap: true, shared: false, readOnly: false, sha256: false },
    () => {},
  );
  onEnd(t, () => handle.close());
  return handle;
}

/** Writes a value under `k` of `t` as a later version, or a faulty program, might: past the facade. */
export async function writeRaw(t, directory, kind, content) {
  const handle = await openRaw(t, directory);
  const value = Buffer.from(content);
  const request = Buffer.concat([
    Buffer.from([0, 1, 0, 't'.charCodeAt(0), 1, 0, 'k'.charCodeAt(0), kind]),
    Buffer.from(Uint32Array.of(value.length).buffer),
    value,
  ]);
  assert.equal(handle.commit(request, request.length, 1), null, 'it has written');
}

/** How many turns the event loop takes while `work` is done. */
export async function turnsDuring(work) {
  let turns = 0;
  let running = true;
  const count = () => {
    turns += 1;
    if (running) setImmediate(count);
  };
  setImmediate(count);
  await work();
  running = false;
  return turns;
}

/** What an async iterable yields. */
export async function collect(iterable) {
  const items = [];
  for await (const item of iterable) items.push(item);
  return items;
}

/** What the runtime that runs this test is given to run a script. */
export function scriptArgs(file) {
  return globalThis.Deno ? ['run', '-A', file] : [file];
}

/** Starts a fixture in a process of its own, under the runtime that runs this test. */
export function spawnFixture(t, name, args = [], options = {}) {
  const file = fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url));
  const child = spawn(process.execPath, [...scriptArgs(file), ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    ...options,
  });
  onEnd(t, () => child.kill('SIGKILL'));
  return child;
}

/** Waits until a child has ended; its exit code, signal and output. */
export async function ended(child) {
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) {
    child[name].setEncoding('utf8').on('data', (text) => {
      output[name] += text;
    });
  }
  const [code, signal] = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (...result) => resolve(result));
  });
  return { code, signal, ...output };
}

/** Runs a fixture to its end, which must be a good one; what it printed. */
export async function runFixture(t, name, ...args) {
  const { code, signal, stdout, stderr } = await ended(spawnFixture(t, name, args));
  assert.equal(code, 0, `${name} ended with ${code ?? signal}: ${stderr}`);
  assert.equal(stderr, '');
  return stdout;
}

/** Runs a fixture that counts its steps on the disk, and kills it before one; what it printed, a number, if it was not. */
export async function killedAtStep(t, name, args, killAt) {
  const env = { ...process.env, KILL_AT: String(killAt ?? '') };
  const { code, signal, stdout, stderr } = await ended(spawnFixture(t, name, args, { env }));
  assert.equal(stderr, '');
  if (killAt === undefined) assert.equal(code, 0);
  else assert.equal(signal, 'SIGKILL', `step ${killAt} was not reached`);
  return Number(stdout);
}

/** Kills a child once it has printed `least` lines, and resolves with all that it printed, which is nothing but lines. */
export async function killedAfter(child, least) {
  const end = ended(child);
  await new Promise((resolve) => {
    let lines = 0;
    child.stdout.on('data', (text) => {
      lines += text.split('\n').length - 1;
      if (lines >= least) resolve();
    });
  });
  child.kill('SIGKILL');
  const { stdout, stderr } = await end;
  assert.equal(stderr, '');
  const printed = stdout.split('\n').slice(0, -1);
  assert.ok(printed.length >= least);
  return printed;
}

/** Resolves with the next line that a child prints. */
export function nextLine(child) {
  return new Promise((resolve, reject) => {
    let text = '';
    const onData = (data) => {
      text += data;
      if (!text.includes('\n')) return;
      child.stdout.off('data', onData);
      resolve(text.slice(0, text.indexOf('\n')));
    };
    child.stdout.on('data', onData);
    child.once('exit', (code) => reject(new Error(`the child ended with ${code} before it printed a line`)));
  });
}

/** Another process that shares `directory`; `ask` calls a method there. */
export async function sharer(t, directory) {
  const child = spawnFixture(t, 'sharer.mjs', [directory]);
  child.stdout.setEncoding('utf8');
  assert.equal(await nextLine(child), 'open');
  const ask = async (...call) => {
    const answer = nextLine(child);
    child.stdin.write(`${JSON.stringify(call)}\n`);
    return JSON.parse(await answer);
  };
  return { child, ask };
}
