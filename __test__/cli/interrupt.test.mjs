import assert from 'node:assert/strict';
import { cpSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { CairnDB } from 'cairndb';
import { ended } from '../helpers.mjs';
import { cairn, database, emptyDirectory, prints, start } from './helpers.mjs';

const MOMENTS = 50;
const RECORDS = 20_000;

/** Several stones of records that were written over, so that there is something to do for a while. */
function large(t) {
  return database(
    t,
    async (db) => {
      for (let round = 0; round < 3; round += 1) {
        const key = (index) => `k${(index * 7919) % RECORDS}`;
        const writes = Array.from({ length: RECORDS }, (_, index) => db.write('t', key(index), `${round}`.repeat(200)));
        await Promise.all(writes);
      }
    },
    { memtableBytes: 262_144, keepGenerations: 5 },
  );
}

/** How long a command takes that is not disturbed, in milliseconds. */
async function duration(t, args) {
  const begin = performance.now();
  await prints(t, args);
  return performance.now() - begin;
}

/** Runs a command and interrupts it after `delay` milliseconds; its exit code. */
async function interrupted(t, args, delay, signal = 'SIGINT') {
  const child = start(t, args);
  const end = ended(child);
  await new Promise((resolve) => setTimeout(resolve, delay));
  child.kill(signal);
  const { code, signal: by, stderr } = await end;
  assert.equal(stderr, '', 'who interrupts knows it');
  return code ?? by;
}

async function assertSound(directory, records) {
  const db = await CairnDB.open(directory, { access: 'readonly' });
  assert.deepEqual((await db.verify()).damage, []);
  assert.equal(await db.getTableSize('t'), records);
  await db.close();
}

/** Exit codes that there may be: done before the signal, ended by it, and so early that nothing heard it. */
const CODES = new Set([0, 130, 'SIGINT']);

if (process.platform !== 'win32') {
  test('interrupt: Ctrl-C at fifty moments of a compact leaves a sound database', async (t) => {
    const original = await large(t);
    const scratch = emptyDirectory(t);
    // Of a copy each time: what was compacted has nothing more to do.
    const copy = (name) => {
      const directory = join(scratch, name);
      cpSync(original, directory, { recursive: true });
      return directory;
    };
    const whole = await duration(t, [copy('whole'), 'compact']);
    const codes = [];
    for (let moment = 0; moment < MOMENTS; moment += 1) {
      const directory = copy(`${moment}`);
      codes.push(await interrupted(t, [directory, 'compact'], (whole * moment) / MOMENTS));
      await assertSound(directory, RECORDS);
      assert.equal(await prints(t, [directory, 'count']), `${RECORDS}\n`);
      rmSync(directory, { recursive: true });
    }
    assert.ok(
      codes.every((code) => CODES.has(code)),
      codes.join(' '),
    );
    assert.ok(codes.includes(130), codes.join(' '));
  });

  test('interrupt: Ctrl-C at fifty moments of a backup leaves nothing that is taken for one', async (t) => {
    const directory = await large(t);
    const target = (name) => join(dirname(directory), `backup-${name}`);
    const whole = await duration(t, [directory, 'backup', target('whole')]);
    const codes = [];
    for (let moment = 0; moment < MOMENTS; moment += 1) {
      const code = await interrupted(t, [directory, 'backup', target(moment)], (whole * moment) / MOMENTS);
      codes.push(code);
      const written = existsSync(target(moment)) ? readdirSync(target(moment)) : [];
      // There is nothing, or all of it: a signal may also come when the backup is done and the process is about to end.
      if (code === 0 || written.length > 0) await assertSound(target(moment), RECORDS);
    }
    await assertSound(directory, RECORDS);
    assert.ok(
      codes.every((code) => CODES.has(code)),
      codes.join(' '),
    );
    assert.ok(codes.includes(130), codes.join(' '));
  });

  test('interrupt: SIGTERM ends with 143, and Ctrl-C of a list with 130', async (t) => {
    const directory = await database(t);
    for (const [signal, expected] of [
      ['SIGTERM', 143],
      ['SIGINT', 130],
    ]) {
      const child = start(t, [directory, 'bench', '--json']);
      const end = ended(child);
      await new Promise((resolve) => child.stdout.once('data', resolve));
      child.kill(signal);
      assert.equal((await end).code, expected);
    }
    assert.deepEqual(readdirSync(dirname(directory)), ['data'], 'the bench took its directory away');
  });

  test('interrupt: a script ends with the command that was interrupted', async (t) => {
    const directory = await database(t);
    const child = start(t, [directory]);
    const end = ended(child);
    child.stdin.write('bench --json\ncount\n');
    await new Promise((resolve) => child.stdout.once('data', resolve));
    child.kill('SIGINT');
    const { code, stdout } = await end;
    assert.equal(code, 130);
    assert.doesNotMatch(stdout, /^4$/m);
  });

  test('interrupt: waiting for a value ends, and writes nothing', async (t) => {
    const directory = join(emptyDirectory(t), 'data');
    const child = start(t, [directory, 'set', 't', 'k', '-']);
    const end = ended(child);
    child.stdin.write('{"half":');
    // The prompt of another process shows that this one has had its time to begin.
    await cairn(t, ['help']);
    child.kill('SIGINT');
    const { code, signal } = await end;
    assert.ok(code === 130 || signal === 'SIGINT', `${code} ${signal}`);
    assert.equal(existsSync(directory), false);
  });
}
