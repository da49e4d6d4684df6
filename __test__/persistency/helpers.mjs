// Stores in folders of their own, for the tests of Persistency.
import { cpSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Persistency } from 'cairndb/persistency';
import { newDirectory, onEnd } from '../helpers.mjs';

const fixtures = fileURLToPath(new URL('../fixtures/persistency/', import.meta.url));

/** An empty folder, which is removed after the test. */
export function newFolder(t) {
  const folder = newDirectory(t);
  mkdirSync(folder);
  return folder;
}

/** Opens a folder until the end of the test. */
export function openAt(t, folder, options) {
  const store = new Persistency({ folder, ...options });
  onEnd(t, () => store.close());
  return store;
}

export const open = (t, options) => openAt(t, newFolder(t), options);

/** Closes a store and opens its folder again. */
export function reopen(t, store, folder, options) {
  store.close();
  return openAt(t, folder, options);
}

/** What is in a store: values as hexadecimal digits, by key. */
export const contentOf = (store) => new Map([...store.cursor()].map(([key, value]) => [key, value.toString('hex')]));

/** As `contentOf`, of pairs that are expected; in the order of the keys. */
export function contentFrom(pairs) {
  const sorted = pairs.map(([key, value]) => [Buffer.from(key), key, Buffer.from(value).toString('hex')]);
  sorted.sort(([a], [b]) => isLong(a) - isLong(b) || Buffer.compare(a, b));
  return new Map(sorted.map(([, key, value]) => [key, value]));
}

const isLong = (key) => Number(key.length > 1023);

/** Folders that Persistency wrote, with what it read from them. */
export const originals = [
  ...['basic', 'compacted', 'empty', 'torn', 'damaged', 'resurrected'].map((name) => ({
    name,
    expected: () =>
      readJson(`${name}.expected.json`).entriesAsReadByOriginal.map(({ keyHex, valueBase64 }) => [
        Buffer.from(keyHex, 'hex').toString(),
        Buffer.from(valueBase64, 'base64'),
      ]),
  })),
  ...['v0.0.5', 'v0.0.8', 'v1.0.2'].map((version) => ({
    name: `legacy/${version}`,
    expected: () => Object.entries(readJson('legacy/expected.json').entries),
  })),
];

const readJson = (name) => JSON.parse(readFileSync(join(fixtures, name), 'utf8'));

/** A copy of such a folder. */
export function copyOf(t, name) {
  const folder = newFolder(t);
  cpSync(join(fixtures, name), folder, { recursive: true, preserveTimestamps: true });
  return folder;
}

/** What must not change of the files of Persistency in a folder. */
export function stateOfOriginals(folder) {
  return ['entries.db', 'data.db'].map((name) => {
    const { size, mtimeMs, mode, ino } = statSync(join(folder, name));
    return { name, size, mtimeMs, mode, ino, bytes: readFileSync(join(folder, name)).toString('base64') };
  });
}
