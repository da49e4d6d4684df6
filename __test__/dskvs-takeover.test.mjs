// What dskvs 0.4.2 wrote is taken over as it was, whole, once, and without touching it.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs, {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { FileError, KeyError, Store } from 'cairndb/dskvs';
import { killedAtStep, newDirectory, onEnd } from './helpers.mjs';

const fixtures = fileURLToPath(new URL('./fixtures/dskvs/', import.meta.url));
const expected = (name) =>
  JSON.parse(readFileSync(join(fixtures, name), 'utf8')).records.map(({ Collection, Member, ValueBase64 }) => ({
    collection: Collection,
    member: Member,
    value: Buffer.from(ValueBase64, 'base64'),
  }));
const STORES = { data: expected('expected.json'), overflow: expected('overflow-expected.json') };

/** A copy of a fixture, in a directory that is removed after the test. */
function copyOf(t, name) {
  const directory = newDirectory(t);
  cpSync(join(fixtures, name), directory, { recursive: true });
  return directory;
}

async function load(t, directory) {
  const store = await Store.open(directory);
  onEnd(t, () => store.close());
  return store;
}

/** Every file of dskvs in a directory, with its content. */
function originals(directory) {
  const names = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .filter((path) => !path.startsWith(join(directory, '.cairndb')));
  return new Map(names.sort().map((path) => [path, readFileSync(path, 'latin1')]));
}

/** Asserts that a store has these records and no other. */
async function holds(store, records) {
  const sizes = new Map();
  for (const { collection, member, value } of records) {
    assert.deepEqual(await store.get(`${collection}/${member}`), value, `${collection}/${member.slice(0, 50)}`);
    sizes.set(collection, (sizes.get(collection) ?? 0) + 1);
  }
  for (const [collection, size] of sizes) assert.equal((await store.getAll(collection)).length, size, collection);
}

const sha1 = (bytes) => createHash('sha1').update(bytes).digest();

/** A file as dskvs writes it. The first byte of the digest is the checksum, if it is below 0x80. */
function page(member, value) {
  const [checksum] = sha1(value);
  assert.ok(checksum < 0x80, 'choose another value');
  const header = Buffer.alloc(36);
  header.writeBigUInt64BE(BigInt(checksum), 12);
  header.writeBigUInt64BE(BigInt(member.length), 20);
  header.writeBigUInt64BE(BigInt(value.length), 28);
  return Buffer.concat([header, member, value]);
}

for (const [name, records] of Object.entries(STORES)) {
  test(`the fixture ${name} is taken over with the expected contents, and its files stay as they are`, async (t) => {
    assert.ok(records.length >= 10);
    const directory = copyOf(t, name);
    const before = originals(directory);
    assert.equal(before.size, records.length);
    const store = await load(t, directory);
    await holds(store, records);
    const { system, files, refused } = store.takeover();
    assert.equal(system, 'dskvs');
    assert.deepEqual(refused, []);
    assert.equal(files.length, records.length);
    await store.close();
    await store.load();
    await holds(store, records);
    assert.deepEqual(originals(directory), before);
  });
}

test('it is done once: what was changed, put and deleted since stays so', async (t) => {
  const directory = copyOf(t, 'data');
  const store = await load(t, directory);
  await store.put('artist/daft_punk', 'changed');
  await store.delete('bulk/k0');
  await store.deleteAll('games');
  await store.put('new/member', 'new');
  await store.close();
  await store.load();
  assert.equal((await store.get('artist/daft_punk')).toString(), 'changed');
  assert.equal(await store.get('bulk/k0'), undefined);
  assert.deepEqual(await store.getAll('games'), []);
  assert.equal((await store.get('new/member')).toString(), 'new');
});

test('a directory without anything of dskvs has no take-over', async (t) => {
  const directory = newDirectory(t);
  const store = await load(t, directory);
  assert.equal(store.takeover(), undefined);
  assert.deepEqual(store.removeOriginals(), { removed: [], kept: [] });
  assert.equal(existsSync(join(directory, '.cairndb', 'takeover.json')), false);
});

const DAMAGE = [
  ['a header that is cut off', (bytes) => bytes.subarray(0, 35), /^Error creating header, received error </],
  ['nothing', () => Buffer.alloc(0), /^Error creating header, received error </],
  ['a value that is cut off', (bytes) => bytes.subarray(0, -1), /^Payload should have length 7 but was 6/],
  ['a byte too many', (bytes) => Buffer.concat([bytes, Buffer.of(0)]), /^Payload should have length 7 but was 8/],
  ['another value', (bytes) => flipped(bytes, bytes.length - 1), /^Failed checksum check/],
  ['another checksum', (bytes) => flipped(bytes, 19), /^Failed checksum check/],
  ['another member', (bytes) => flipped(bytes, 37), /^The member in the file is not the one/],
  ['a later version', (bytes) => flipped(bytes, 1), /^File version incompatible with this version \(0\.4\.2\)/],
  ['a member of 2^56 bytes', (bytes) => flipped(bytes, 20), /^Member should have length/],
  ['zeros', (bytes) => Buffer.alloc(bytes.length), /^Payload should have length 0 but was/],
];

function flipped(bytes, at) {
  const copy = Buffer.from(bytes);
  copy[at] ^= 1;
  return copy;
}

for (const [what, damage, message] of DAMAGE) {
  test(`a damaged file is reported and left alone: ${what}`, async (t) => {
    const directory = copyOf(t, 'data');
    const name = readdirSync(join(directory, 'bulk')).find((file) => file.startsWith('%2Fk7'));
    const path = join(directory, 'bulk', name);
    const damaged = damage(readFileSync(path));
    writeFileSync(path, damaged);
    const store = await load(t, directory);
    const { files, refused } = store.takeover();
    assert.deepEqual(
      refused.map((each) => each.name),
      [`bulk/${name}`],
    );
    assert.match(refused[0].why, message);
    assert.ok(refused[0].why.endsWith(`file=${path}`));
    assert.equal(files.length, STORES.data.length - 1);
    assert.equal(await store.get('bulk/k7'), undefined);
    await holds(
      store,
      STORES.data.filter(({ member }) => member !== 'k7'),
    );
    assert.deepEqual(store.removeOriginals().kept, []);
    assert.deepEqual([...originals(directory)], [[path, damaged.toString('latin1')]], 'the damaged file alone is left');
  });
}

test('what is no file of dskvs is reported, or passed over where dskvs did so too', async (t) => {
  const directory = copyOf(t, 'overflow');
  writeFileSync(join(directory, 'notes.txt'), 'not in a collection');
  writeFileSync(join(directory, 'c', 'notes.txt'), 'in a collection');
  mkdirSync(join(directory, 'c', 'folder'));
  mkdirSync(join(directory, 'empty'));
  const store = await load(t, directory);
  const { refused } = store.takeover();
  assert.deepEqual(refused.map(({ name }) => name).sort(), ['c/folder', 'c/notes.txt']);
  await holds(store, STORES.overflow);
  assert.deepEqual(await store.getAll('empty'), []);
  store.removeOriginals();
  assert.deepEqual(
    [...originals(directory).keys()].sort(),
    ['c/notes.txt', 'notes.txt'].map((name) => join(directory, name)),
  );
});

test('two files with the same member: one is taken, the other reported', async (t) => {
  const directory = newDirectory(t);
  mkdirSync(join(directory, 'c'), { recursive: true });
  const member = Buffer.from('/m');
  const digits = sha1(member).toString('hex');
  writeFileSync(join(directory, 'c', `a${digits}`), page(member, Buffer.from('x')));
  writeFileSync(join(directory, 'c', `b${digits}`), page(member, Buffer.from('1')));
  const store = await load(t, directory);
  const { files, refused } = store.takeover();
  assert.equal(files.length, 1);
  assert.match(refused[0].why, /^Another file has the same member/);
  const kept = { [`c/a${digits}`]: 'x', [`c/b${digits}`]: '1' }[files[0].name];
  assert.equal((await store.get('c/m')).toString(), kept);
});

test('members that no string can name are reported', async (t) => {
  const directory = newDirectory(t);
  mkdirSync(join(directory, 'c'), { recursive: true });
  for (const member of [Buffer.from([0x2f, 0xff]), Buffer.from('m'), Buffer.from('/')]) {
    writeFileSync(join(directory, 'c', sha1(member).toString('hex')), page(member, Buffer.from('x')));
  }
  const store = await load(t, directory);
  assert.deepEqual(store.takeover().files, []);
  const reasons = store
    .takeover()
    .refused.map(({ why }) => why.split(',')[0])
    .sort();
  assert.deepEqual(reasons, [
    'The member has no separator in front',
    'The member has no separator in front',
    'The member is not UTF-8',
  ]);
});

test('a member longer than a key of CairnDB is taken over, and one with a mark of byte order', async (t) => {
  const directory = newDirectory(t);
  mkdirSync(join(directory, 'c'), { recursive: true });
  for (const name of [`/${'long '.repeat(1000)}`, '/\uFEFFmark', '/a\0b', '/%002E']) {
    const member = Buffer.from(name);
    writeFileSync(join(directory, 'c', sha1(member).toString('hex')), page(member, Buffer.from('x')));
  }
  const store = await load(t, directory);
  assert.deepEqual(store.takeover().refused, []);
  for (const name of ['long '.repeat(1000), '\uFEFFmark', 'a\0b', '%002E']) {
    assert.equal((await store.get(`c/${name}`))?.toString(), 'x', name.slice(0, 20));
  }
});

test('an original that has changed since, or is gone, is not removed', async (t) => {
  const directory = copyOf(t, 'overflow');
  const store = await load(t, directory);
  const [first, second] = store.takeover().files.map(({ name }) => name);
  writeFileSync(join(directory, first), 'something else');
  const { removed, kept } = store.removeOriginals();
  assert.deepEqual(
    kept.map(({ name }) => name),
    [first],
  );
  assert.equal(removed.length, STORES.overflow.length - 1);
  assert.equal(existsSync(join(directory, second)), false);
  assert.equal(readFileSync(join(directory, first), 'utf8'), 'something else');
  await holds(store, STORES.overflow);
});

test('an original that cannot be read is an error, and then nothing was taken over', async (t) => {
  const directory = copyOf(t, 'overflow');
  const path = [...originals(directory).keys()][3];
  const { readFile } = fs.promises;
  const restore = () => {
    fs.promises.readFile = readFile;
    syncBuiltinESMExports();
  };
  onEnd(t, restore);
  fs.promises.readFile = async (file, ...more) => {
    if (file === path) throw new Error('EIO: i/o error, read');
    return readFile(file, ...more);
  };
  syncBuiltinESMExports();
  await assert.rejects(Store.open(directory), { code: 'ERR_CAIRN_IO', path, message: /EIO/ });
  restore();
  const store = await load(t, directory);
  await holds(store, STORES.overflow);
  assert.equal(store.takeover().files.length, STORES.overflow.length);
});

test('a directory beside that points elsewhere is not followed', async (t) => {
  const directory = copyOf(t, 'overflow');
  const outside = join(dirname(directory), 'outside');
  mkdirSync(outside);
  writeFileSync(join(outside, 'file'), 'outside');
  symlinkSync(outside, join(directory, 'link'), 'junction');
  const store = await load(t, directory);
  assert.deepEqual(store.takeover().refused, []);
  assert.deepEqual(await store.getAll('link'), []);
});

const takeOver = (t, directory, killAt) => killedAtStep(t, 'dskvs-takeover.mjs', [directory], killAt);

for (const [name, records] of Object.entries(STORES)) {
  test(`a take-over of ${name} that is killed at any step leaves everything for the next one`, async (t) => {
    const steps = await takeOver(t, copyOf(t, name));
    assert.ok(steps > records.length * 2, `${steps}`);
    const before = originals(copyOf(t, name)).size;
    for (let step = 1; step <= steps; step += 1) {
      const directory = copyOf(t, name);
      await takeOver(t, directory, step);
      assert.equal(originals(directory).size, before);
      const store = await Store.open(directory);
      await holds(store, records);
      assert.equal(store.takeover().files.length, records.length, `killed at step ${step}`);
      await store.close();
    }
  });
}

test('one that is killed again and again gets there, and drops nothing that came after', async (t) => {
  const directory = copyOf(t, 'overflow');
  for (const step of [30, 25, 20, 35]) await takeOver(t, directory, step);
  const store = await load(t, directory);
  await holds(store, STORES.overflow);
  await store.put('c/k290', 'newer');
  await store.close();
  await takeOver(t, directory);
  await store.load();
  assert.equal((await store.get('c/k290')).toString(), 'newer');
});

test('originals that vanish after a kill do not make the next opening drop what is written then', async (t) => {
  const directory = copyOf(t, 'overflow');
  await takeOver(t, directory, 25);
  rmSync(join(directory, 'c'), { recursive: true });
  const store = await load(t, directory);
  assert.deepEqual(store.takeover(), { system: 'dskvs', files: [], refused: [] });
  await store.put('c/new', 'new');
  await store.close();
  await store.load();
  assert.deepEqual((await store.getAll('c')).map(String), ['new']);
});

// The defects of dskvs 0.4.2.

test('updates and deletes of a store that was opened again persist', async (t) => {
  const store = await load(t, copyOf(t, 'data'));
  await store.put('bulk/k1', 'v2');
  await store.delete('bulk/k2');
  await store.close();
  await store.load();
  assert.equal((await store.get('bulk/k1')).toString(), 'v2');
  assert.equal(await store.get('bulk/k2'), undefined);
});

test('no value makes a store unopenable, and concurrent puts all persist', async (t) => {
  const store = await load(t, newDirectory(t));
  const names = Array.from({ length: 2000 }, (_, index) => index);
  await Promise.all(names.map((index) => store.put(`c/k${index}`, `value-${index}`)));
  await Promise.all(names.map((index) => store.put(`c/k${index}`, `last-${index}`)));
  await store.close();
  await store.load();
  for (const index of names) assert.equal((await store.get(`c/k${index}`)).toString(), `last-${index}`);
});

test('a key that looks like a path stays in the store', async (t) => {
  const directory = newDirectory(t);
  const store = await load(t, directory);
  await store.put('../evil', 'x');
  await store.put('a/../../evil', 'x');
  await store.close();
  assert.deepEqual(readdirSync(dirname(directory)), ['data']);
  assert.deepEqual(readdirSync(directory), ['.cairndb']);
});

test('the errors of the interface and of files are classes of their own', async (t) => {
  const store = await load(t, newDirectory(t));
  await assert.rejects(store.get('a'), (error) => error instanceof KeyError && !(error instanceof FileError));
});
