import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { CairnDB } from 'cairndb';
import { newDirectory, onEnd, open, openAt, rejects, runFixture } from './helpers.mjs';

test('a directory that is a file is refused, and the file stays', async (t) => {
  const directory = newDirectory(t);
  writeFileSync(directory, 'notes');
  await rejects(() => CairnDB.open(directory), 'ERR_CAIRN_DIRECTORY');
  assert.equal(readFileSync(directory, 'utf8'), 'notes');
});

test('a directory below a file is refused', async (t) => {
  const file = newDirectory(t);
  writeFileSync(file, 'notes');
  await rejects(() => CairnDB.open(join(file, 'data')), 'ERR_CAIRN_DIRECTORY');
});

if (process.platform !== 'win32') {
  test('a directory that cannot be read is refused', async (t) => {
    const directory = newDirectory(t);
    chmodSync(dirname(directory), 0o755);
    mkdirSync(directory, { mode: 0o000 });
    assert.match(await runFixture(t, 'unprivileged.mjs', directory), /^true ERR_CAIRN_DIRECTORY /);
  });

  test('a directory that cannot be written to is refused', async (t) => {
    const directory = newDirectory(t);
    const db = await openAt(t, directory);
    await db.write('t', 'k', 1);
    await db.close();
    chmodSync(dirname(directory), 0o755);
    for (const name of readdirSync(directory)) chmodSync(join(directory, name), 0o444);
    chmodSync(directory, 0o555);
    onEnd(t, () => chmodSync(directory, 0o755));
    assert.match(await runFixture(t, 'unprivileged.mjs', directory), /^true ERR_CAIRN_DIRECTORY /);
  });

  test('a directory that cannot be made is refused', async (t) => {
    const directory = newDirectory(t);
    chmodSync(dirname(directory), 0o555);
    assert.match(await runFixture(t, 'unprivileged.mjs', directory), /^true ERR_CAIRN_DIRECTORY /);
  });
}

/** Every file of a database, with the place of `bytes` in it. */
function findInFiles(directory, bytes) {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .map((path) => ({ path, at: readFileSync(path).indexOf(bytes) }))
    .filter(({ at }) => at >= 0);
}

test('damaged bytes are never returned: the error names the file and the place', async (t) => {
  const db = await open(t);
  const needle = 'the bytes that will be damaged';
  // So few are not packed: the text stands in the file as it is.
  for (let index = 0; index < 40; index += 1)
    await db.write('t', `k${index}`, { index, text: index === 20 ? needle : 'x' });
  await db.compact();
  await db.close();
  const found = findInFiles(db.directory, needle);
  assert.ok(found.length > 0);
  for (const { path, at } of found) {
    const bytes = readFileSync(path);
    bytes[at + 3] ^= 1;
    writeFileSync(path, bytes);
  }
  const damaged = new CairnDB({ databaseDirectory: db.directory });
  onEnd(t, () => damaged.close());
  const isDamage = (error) => {
    assert.equal(error.code, 'ERR_CAIRN_CORRUPT');
    assert.ok(
      found.some(({ path }) => path === error.path),
      `${error.path} is one of the damaged files`,
    );
    assert.equal(typeof error.offset, 'number');
    return true;
  };
  await damaged.start();
  await assert.rejects(damaged.get('t', 'k20'), isDamage);
  assert.throws(() => damaged.getSync('t', 'k20'), isDamage);
  await assert.rejects(damaged.get('t'), isDamage);
  assert.deepEqual(await damaged.get('t', 'k39'), { index: 39, text: 'x' });
  const { damage } = await damaged.verify();
  assert.ok(
    damage.some(({ path, offset, what }) => found.some((file) => file.path === path) && offset >= 0 && what !== ''),
  );
});
