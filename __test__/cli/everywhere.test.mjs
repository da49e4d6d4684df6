// Each command in a pipe and in a pseudo-terminal; verify and repair on damage wherever it is.

import assert from 'node:assert/strict';
import { cpSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { cairn, database, emptyDirectory, inTerminal, prints } from './helpers.mjs';

/** What each command is tried with, on a directory that it may change and with a place for what it makes. */
const ARGUMENTS = {
  tables: (directory) => [directory, 'tables'],
  ls: (directory) => [directory, 'ls', 'users'],
  get: (directory) => [directory, 'get', 'users', 'alice'],
  keys: (directory) => [directory, 'keys', 'users'],
  count: (directory) => [directory, 'count'],
  stats: (directory) => [directory, 'stats'],
  set: (directory) => [directory, 'set', 'users', 'carol', '{"name":"Carol"}'],
  del: (directory) => [directory, 'del', 'users', 'bob'],
  verify: (directory) => [directory, 'verify'],
  repair: (directory, place) => [directory, 'repair', place],
  compact: (directory) => [directory, 'compact'],
  prune: (directory) => [directory, 'prune', '--keep', '1'],
  backup: (directory, place) => [directory, 'backup', place],
  restore: (directory, place) => [directory, 'restore', place],
  bench: (directory) => [directory, 'bench'],
  import: (directory, _, lines) => [directory, 'import', lines],
  export: (directory) => [directory, 'export'],
  help: () => ['help'],
  completions: () => ['completions', 'bash'],
};
/** It does not end by itself: see watch.test.mjs. */
const ENDLESS = ['watch'];

test('cairn: no command is missing from those that are tried', async (t) => {
  const specs = JSON.parse(await prints(t, ['help', '--json']));
  const names = (specs.commands ?? specs).filter(({ place }) => place !== 'prompt').map(({ name }) => name);
  assert.deepEqual(names.toSorted(), [...Object.keys(ARGUMENTS), ...ENDLESS].toSorted());
});

for (const [name, argumentsOf] of Object.entries(ARGUMENTS)) {
  test(`cairn: ${name} in a pipe and in a pseudo-terminal`, async (t) => {
    const original = await database(t);
    const scratch = emptyDirectory(t);
    const lines = join(scratch, 'lines.jsonl');
    writeFileSync(lines, '{"table":"users","key":"dave","value":1}\n');
    const args = ['pipe', 'terminal'].map((kind) => {
      const directory = join(scratch, kind);
      cpSync(original, directory, { recursive: true });
      return argumentsOf(directory, join(scratch, `${kind}-made`), lines);
    });
    assert.notEqual(await prints(t, args[0]), '');
    const { code, text } = await inTerminal(t, args[1]);
    assert.equal(code, 0, text);
    assert.notEqual(text, '');
  });
}

/** Every so many bytes of the database one is changed. */
const STRIDE = 389;

/** Ways to damage a copy of a database, by what they do. */
function damages(directory) {
  const files = readdirSync(directory).filter((name) => /\.(manifest|journal|stone)$/.test(name));
  return files.flatMap((name) => {
    const bytes = readFileSync(join(directory, name));
    // Behind the last of its bytes there are zeros that were written ahead.
    const length = bytes.findLastIndex((byte) => byte !== 0) + 1;
    const flips = Array.from({ length: Math.ceil(length / STRIDE) }, (_, index) => index * STRIDE);
    return [
      ...flips.map((at) => ({
        what: `byte ${at} of ${name} changed`,
        to(copy) {
          const changed = Buffer.from(bytes);
          changed[at] ^= 0x10;
          writeFileSync(join(copy, name), changed);
        },
      })),
      { what: `${name} cut in the middle`, to: (copy) => truncateSync(join(copy, name), length >> 1) },
    ];
  });
}

test('cairn: wherever a database is damaged, verify tells, and repair makes a sound one of the rest', async (t) => {
  const directory = await database(t, async (db) => {
    for (let index = 0; index < 40; index += 1) await db.write('stone', `k${index}`, `text of ${index}`);
    await db.compact();
    for (let index = 0; index < 20; index += 1) {
      await db.write('journal', `k${index}`, `value ${index}`, { durability: 'full' });
    }
  });
  const records = async (from) => (await prints(t, [from, 'export'])).split('\n').filter(Boolean);
  const whole = await records(directory);
  const scratch = emptyDirectory(t);
  const all = damages(directory);
  assert.ok(all.length >= 12, `${all.length} kinds of damage`);
  let noticed = 0;
  for (const [index, { what, to }] of all.entries()) {
    const [damaged, repaired] = ['damaged', 'repaired'].map((name) => join(scratch, `${name}-${index}`));
    cpSync(directory, damaged, { recursive: true });
    to(damaged);
    const { code, stdout, stderr } = await cairn(t, [damaged, 'verify', '--json']);
    noticed += code === 0 ? 0 : 1;
    if (code === 0) assert.deepEqual(await records(damaged), whole, `${what}: it counts as sound`);
    else assert.ok(code === 1 ? JSON.parse(stdout).damage.length > 0 : code === 3 && stderr !== '', `${what}: ${code}`);
    assert.equal((await cairn(t, [damaged, 'repair', repaired])).code <= 1, true, `${what}: repair`);
    await prints(t, [repaired, 'verify']);
    const kept = (await records(repaired)).map((line) => JSON.parse(line)).map(({ key, value }) => `${key} ${value}`);
    const known = new Set(whole.map((line) => JSON.parse(line)).map(({ key, value }) => `${key} ${value}`));
    assert.ok(
      kept.every((record) => known.has(record)),
      `${what}: nothing but what was written`,
    );
  }
  // What looks like the work of a crash, at the end of the journal, is no damage if nothing says that it had been on the disk.
  assert.ok(noticed >= all.length - 2, `${noticed} of ${all.length} were noticed`);
});
