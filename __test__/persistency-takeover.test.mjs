// What Persistency left in a folder is taken over, whole, once, and without a change of its files.

import assert from 'node:assert/strict';
import fs, {
  appendFileSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import { Persistency } from 'cairndb/persistency';
import { ended, onEnd, spawnFixture, throws } from './helpers.mjs';
import { filesOf, generations, MAGIC, writeFiles } from './persistency/files.mjs';
import {
  contentFrom,
  contentOf,
  copyOf,
  newFolder,
  openAt,
  originals,
  reopen,
  stateOfOriginals,
} from './persistency/helpers.mjs';

const whys = (store) => store.takeover().refused.map(({ name, why }) => `${name}: ${why}`);

/** A folder with these records, as a generation wrote them. */
const folderOf = (t, generation, records) => writeFiles(newFolder(t), filesOf(generation, records));

for (const { name, expected } of originals) {
  test(`${name} is taken over with what Persistency reads from it`, (t) => {
    const folder = copyOf(t, name);
    const before = stateOfOriginals(folder);
    let store = openAt(t, folder);
    for (const again of [false, true]) {
      if (again) store = reopen(t, store, folder);
      assert.deepEqual([...contentOf(store)], [...contentFrom(expected())]);
      assert.equal(store.count(), expected().length);
      for (const [key, value] of expected()) assert.deepEqual(store.get(key), Buffer.from(value));
      assert.deepEqual(stateOfOriginals(folder), before);
      assert.deepEqual(
        store.takeover().files.map(({ name, size, records }) => [name, size, records]),
        before.map(({ name, size }) => [name, size, expected().length]),
      );
    }
  });
}

test('what is damaged is reported with its place and reason, and the rest is not', (t) => {
  const report = (name) => whys(openAt(t, copyOf(t, name)));
  assert.deepEqual(report('damaged'), [
    'entries.db: The record at byte 40 was left out: its hash is not that of its data in data.db.',
    'entries.db: The record at byte 76 was left out: its version is 160, not 0.',
  ]);
  assert.deepEqual(report('torn'), [
    'entries.db: The record at byte 328 was left out: the file ends in it, after 34 bytes.',
  ]);
  for (const name of [
    'basic',
    'compacted',
    'empty',
    'resurrected',
    'legacy/v0.0.5',
    'legacy/v0.0.8',
    'legacy/v1.0.2',
  ]) {
    assert.deepEqual(report(name), [], name);
  }
});

test('what was written after the take-over stays, and what was deleted stays deleted', (t) => {
  const folder = copyOf(t, 'compacted');
  let store = openAt(t, folder);
  const [first, second] = contentOf(store).keys();
  assert.equal(store.delete(first), true);
  store.set(second, Buffer.from('new'));
  store.set('another', Buffer.from('one'));
  const content = contentOf(store);
  store = reopen(t, store, folder);
  assert.deepEqual(contentOf(store), content);
  // Not even a new pair of files is taken over into it.
  writeFiles(folder, filesOf('2.0.3', [{ key: 'other', value: 'files' }]));
  store = reopen(t, store, folder);
  assert.deepEqual(contentOf(store), content);
  // What becomes of the files does not matter any more.
  unlinkSync(join(folder, 'entries.db'));
  writeFileSync(join(folder, 'data.db'), 'of another program');
  store = reopen(t, store, folder);
  assert.deepEqual(contentOf(store), content);
});

const VALUE = Buffer.from('value');
const many = Array.from({ length: 40 }, (_, index) => ({ key: `k${index}`, value: `value ${index}`, version: index }));

for (const generation of Object.keys(generations)) {
  test(`files as ${generation} wrote them: versions, deletions, empty keys and values`, (t) => {
    const folder = folderOf(t, generation, [
      { key: 'a', value: 'newest', version: 3 },
      { key: 'a', value: 'old', version: 2 },
      { key: 'b', value: 'old', version: 0 },
      { deleted: true },
      { key: 'b', value: 'newest', version: 1 },
      { key: '', value: 'of the empty key' },
      { key: 'empty', value: '' },
      { key: 'ключ', value: Buffer.alloc(100_000, 7) },
    ]);
    const store = openAt(t, folder);
    const expected = contentFrom([
      ['a', 'newest'],
      ['b', 'newest'],
      ['', 'of the empty key'],
      ['empty', ''],
      ['ключ', Buffer.alloc(100_000, 7)],
    ]);
    assert.deepEqual([...contentOf(store)], [...expected]);
    assert.deepEqual(whys(store), []);
  });

  test(`files as ${generation} wrote them: one record alone, and an empty one`, (t) => {
    for (const [key, value] of [
      ['k', 'v'],
      ['', ''],
      ['ж', ''],
    ]) {
      assert.deepEqual(
        [...contentOf(openAt(t, folderOf(t, generation, [{ key, value }])))],
        [...contentFrom([[key, value]])],
      );
    }
  });

  test(`files as ${generation} wrote them: versions are compared modulo 2 to the 32`, (t) => {
    const store = openAt(
      t,
      folderOf(t, generation, [
        { key: 'wrapped', value: 'newest', version: 1 },
        { key: 'wrapped', value: 'old', version: 2 ** 32 - 2 },
        { key: 'high', value: 'old', version: 2 ** 31 - 1 },
        { key: 'high', value: 'newest', version: 2 ** 31 },
      ]),
    );
    const expected = [
      ['wrapped', 'newest'],
      ['high', 'newest'],
    ];
    assert.deepEqual([...contentOf(store)], [...contentFrom(expected)]);
  });

  test(`files as ${generation} wrote them: of a record that is damaged anywhere the older version is used`, (t) => {
    const records = [{ key: 'k', value: 'old', version: 1 }, { key: 'k', value: VALUE, version: 2 }, ...many];
    const sound = filesOf(generation, records);
    const { stride, data } = places(generation);
    const expected = [...contentFrom([['k', 'old'], ...many.map(({ key, value }) => [key, value])])];
    const second = MAGIC.length + stride;
    const damages = [
      ...Array.from({ length: stride }, (_, index) => ['entries', second + index]),
      ...Array.from({ length: data + 1 + VALUE.length }, (_, index) => ['data', MAGIC.length + data + 4 + index]),
    ];
    for (const [file, offset] of damages) {
      const files = { entries: Buffer.from(sound.entries), data: Buffer.from(sound.data) };
      files[file][offset] ^= 0x40;
      const store = new Persistency({ folder: writeFiles(newFolder(t), files) });
      const found = [...contentOf(store)];
      const reasons = whys(store);
      store.close();
      // Three bytes of a record of 0.0.9 are not used; its hash covers them all the same.
      assert.deepEqual(found, expected, `${file} at ${offset}`);
      assert.equal(reasons.length, 1, `${file} at ${offset}: ${reasons}`);
      assert.match(reasons[0], new RegExp(`byte ${second} `));
    }
  });
}

/** How long a record is, and how many bytes a block has besides key and value. */
function places(generation) {
  const { block, tombstone } = generations[generation];
  return { stride: tombstone().length, data: block(Buffer.alloc(0), Buffer.alloc(0)).length };
}

test('sizes and places that cannot be are refused before memory is taken for them', (t) => {
  const wrong = [
    { location: 2 ** 48 },
    { location: 2 ** 55 + 4 },
    { location: 3 },
    { keySize: 2 ** 32 - 1 },
    { valueSize: 2 ** 32 - 1 },
    { keySize: 2 ** 32 - 1, valueSize: 2 ** 32 - 1 },
  ];
  for (const generation of Object.keys(generations)) {
    for (const said of wrong) {
      const records = [...many, { key: 'k', value: VALUE, version: 1, ...said }];
      const store = openAt(t, folderOf(t, generation, records));
      assert.deepEqual([...contentOf(store).keys()], [...contentFrom(many.map(({ key }) => [key, ''])).keys()]);
      assert.match(whys(store).join(), /^entries\.db: [^,]* would lie outside of data\.db\.$/, JSON.stringify(said));
    }
  }
});

test('a folder with no whole record is damage and not an empty store', (t) => {
  const { entries, data } = filesOf('2.0.3', many);
  const folder = writeFiles(newFolder(t), { entries, data: Buffer.concat([MAGIC, Buffer.alloc(data.length)]) });
  const before = stateOfOriginals(folder);
  throws(() => new Persistency({ folder }), 'ERR_CAIRN_CORRUPT', /none that is whole/);
  throws(() => new Persistency({ folder }), 'ERR_CAIRN_CORRUPT', /none that is whole/);
  assert.deepEqual(stateOfOriginals(folder), before);
  // With the data as it was, all is there.
  writeFileSync(join(folder, 'data.db'), data);
  assert.equal(openAt(t, folder).count(), many.length);
});

test('a first write that was interrupted is an empty store', (t) => {
  const { entries, data } = filesOf('2.0.3', [{ key: 'k', value: VALUE }]);
  const store = openAt(t, writeFiles(newFolder(t), { entries: entries.subarray(0, 21), data }));
  assert.equal(store.count(), 0);
  assert.deepEqual(whys(store), [
    'entries.db: The record at byte 4 was left out: the file ends in it, after 17 bytes.',
  ]);
});

test('files of nothing, of zeros and of deletions alone are empty stores', (t) => {
  for (const [entries, data] of [
    [Buffer.alloc(0), Buffer.alloc(0)],
    [MAGIC, MAGIC],
    [Buffer.concat([MAGIC, Buffer.alloc(400)]), MAGIC],
    ...Object.keys(generations).map((generation) => [filesOf(generation, [{ deleted: true }]).entries, MAGIC]),
  ]) {
    const store = openAt(t, writeFiles(newFolder(t), { entries, data }));
    assert.equal(store.count(), 0);
    assert.deepEqual(whys(store), []);
  }
});

test('one file without the other is refused if there is something in it, and else ignored', (t) => {
  const { entries, data } = filesOf('2.0.3', many);
  for (const [name, content] of Object.entries({ 'entries.db': entries, 'data.db': data })) {
    const folder = newFolder(t);
    writeFileSync(join(folder, name), content);
    throws(() => new Persistency({ folder }), 'ERR_CAIRN_DIRECTORY', /is missing/);
    assert.deepEqual(readdirSync(folder), [name]);
    writeFileSync(join(folder, name), MAGIC);
    const store = openAt(t, folder);
    assert.equal(store.count(), 0);
    assert.equal(store.takeover(), undefined);
  }
});

test('a damaged store with thousands of bad records tells of them, and counts the rest', (t) => {
  const bad = Array.from({ length: 1200 }, (_, index) => ({
    key: `bad ${index}`,
    value: VALUE,
    change: (record) => record.fill(255, 1),
  }));
  const store = openAt(t, folderOf(t, '2.0.3', [...bad, ...many]));
  assert.equal(store.count(), many.length);
  const reasons = whys(store);
  assert.equal(reasons.length, 1001);
  assert.match(reasons[0], /byte 4 /);
  assert.match(reasons[1000], /: 200 further records/);
});

test('a value that is larger than CairnDB takes is an error, and nothing is taken over', (t) => {
  const folder = newFolder(t);
  const size = 512 * 1024 * 1024 + 1;
  // In a file with a gap, which takes no room.
  const { entries, data } = filesOf('0.0.8', [{ key: 'k', value: VALUE }]);
  const large = filesOf('0.0.8', [{ key: 'large', value: Buffer.alloc(size) }]);
  writeFileSync(join(folder, 'data.db'), MAGIC);
  truncateSync(join(folder, 'data.db'), MAGIC.length + 5 + size);
  const file = openSync(join(folder, 'data.db'), 'r+');
  writeSync(file, Buffer.from('large'), 0, 5, MAGIC.length);
  writeFileSync(join(folder, 'entries.db'), large.entries);
  throws(() => new Persistency({ folder }), 'ERR_CAIRN_TOO_LARGE', new RegExp(`byte 4 .* ${size}`));
  writeFiles(folder, { entries, data });
  assert.equal(openAt(t, folder).count(), 1);
});

test('long keys are taken over', (t) => {
  const keys = [1023, 1024, 70_000].map((length) => 'ab'.repeat(length).slice(0, length));
  const store = openAt(
    t,
    folderOf(
      t,
      '2.0.3',
      keys.map((key) => ({ key, value: `of ${key.length}` })),
    ),
  );
  for (const key of keys) assert.equal(store.get(key).toString(), `of ${key.length}`);
  assert.equal(store.count(), 3);
});

test('removeOriginals() removes what was taken over and has not changed, and only when it is called', (t) => {
  const folder = copyOf(t, 'compacted');
  const expected = [...contentFrom(originals[1].expected())];
  writeFileSync(join(folder, 'notes.txt'), 'mine');
  let store = openAt(t, folder);
  appendFileSync(join(folder, 'data.db'), 'x');
  const { removed, kept } = store.removeOriginals();
  assert.deepEqual(removed, ['entries.db']);
  assert.deepEqual(
    kept.map(({ name }) => name),
    ['data.db'],
  );
  assert.ok(existsSync(join(folder, 'data.db')));
  truncateSync(join(folder, 'data.db'), readFileSync(join(folder, 'data.db')).length - 1);
  assert.deepEqual(store.removeOriginals(), { removed: ['entries.db', 'data.db'], kept: [] });
  assert.deepEqual(readdirSync(folder).sort(), ['.cairndb', 'notes.txt']);
  for (const again of [false, true]) {
    if (again) store = reopen(t, store, folder);
    assert.deepEqual([...contentOf(store)], expected);
  }
});

test('a file that is written to while it is read is an error, and the next opening begins anew', (t) => {
  const folder = copyOf(t, 'compacted');
  const { readSync } = fs;
  onEnd(t, () => {
    fs.readSync = readSync;
  });
  let reads = 0;
  fs.readSync = (...args) => {
    // The first ones with a position are of the magic bytes.
    if (args.length > 2) reads += 1;
    if (reads === 3) fs.appendFileSync(join(folder, 'data.db'), 'x');
    return readSync(...args);
  };
  // Of the CommonJS module: it looks the function up when it calls it.
  const { Persistency } = createRequire(import.meta.url)('cairndb/persistency');
  throws(() => new Persistency({ folder }), 'ERR_CAIRN_IO', /data\.db changed while it was being read/);
  assert.ok(reads > 3);
  fs.readSync = readSync;
  assert.deepEqual([...contentOf(openAt(t, folder))], [...contentFrom(originals[1].expected())]);
});

test('without originals there is nothing to remove', (t) => {
  const folder = newFolder(t);
  const store = openAt(t, folder);
  assert.equal(store.takeover(), undefined);
  assert.deepEqual(store.removeOriginals(), { removed: [], kept: [] });
});

test('another process is kept out while a folder is open', async (t) => {
  const folder = copyOf(t, 'compacted');
  const store = openAt(t, folder);
  const child = spawnFixture(t, 'persistency-killed.mjs', [folder, '0']);
  onEnd(t, () => child.kill());
  const { code, stderr } = await ended(child);
  assert.equal(code, 1);
  assert.match(stderr, new RegExp(`in use by process ${process.pid}\\b`));
  store.close();
});
