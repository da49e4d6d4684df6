// Directories that PikoDB wrote, and what a take-over has to make of them.

import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PikoDB } from 'cairndb/pikodb';
import { newDirectory, onEnd } from './helpers.mjs';

const fixtures = fileURLToPath(new URL('./fixtures/pikodb/', import.meta.url));
const readJson = (name) => JSON.parse(readFileSync(join(fixtures, name), 'utf8'));

const current = readJson('expected.json');
const legacy = readJson('legacy/expected.json');
const { dictionary } = legacy;

/** The tables of an older release: all have the same contents, and the times that stand in their files. */
function legacyTables(folder, timestamp) {
  const tables = Object.entries(legacy.tables).map(([table, records]) => {
    const file = readJson(`legacy/${folder}/${table}`);
    const rows = Object.entries(records).map(([key, record]) => {
      const [, parts] = file.find(([name]) => name === key);
      return { key, ...record, timestamp: parts[timestamp], dictionaryName: null };
    });
    return [table, { records: rows }];
  });
  return Object.fromEntries(tables);
}

/** Each directory with the options that it needs and the tables that are in it. */
export const sources = [
  { name: 'data', folder: 'data', options: { dictionaries: current.dictionaries }, tables: current.tables },
  ...[
    ['v0.0.1/plain', 'timestamp', {}],
    ['v0.0.2/plain', 'ts', {}],
    ['v0.0.2/with-dictionary', 'ts', { dictionary }],
    ['v0.0.3/plain', 't', {}],
    ['v0.0.3/with-dictionary', 't', { dictionary }],
  ].map(([folder, timestamp, options]) => ({
    name: folder,
    folder: `legacy/${folder}`,
    options,
    tables: legacyTables(folder, timestamp),
  })),
];

/** A copy of a directory of fixtures, which is removed after the test. */
export function copyOf(t, folder) {
  const directory = newDirectory(t);
  cpSync(join(fixtures, folder), directory, { recursive: true });
  return directory;
}

/** A directory with these files. */
export function directoryOf(t, files) {
  const directory = newDirectory(t);
  mkdirSync(directory);
  for (const [name, content] of Object.entries(files)) writeFileSync(join(directory, name), content);
  return directory;
}

/** A table file with records of these values. */
export function tableFile(values) {
  const entries = Object.entries(values);
  return JSON.stringify(entries.map(([key, d]) => [key, { d, v: 1, t: 1_700_000_000_000, x: null }]));
}

/** The files of a directory that are not the database's, by name. */
export function filesOf(directory) {
  const names = readdirSync(directory).filter((name) => name !== '.cairndb');
  const files = names.filter((name) => statSync(join(directory, name)).isFile());
  return Object.fromEntries(files.map((name) => [name, readFileSync(join(directory, name))]));
}

/** An instance for `directory`, which is closed after the test. */
export function pikoAt(t, directory, options) {
  const db = new PikoDB({ databaseDirectory: directory, ...options });
  onEnd(t, () => db.close());
  return db;
}

/** An instance for a new directory. */
export function piko(t, options) {
  return pikoAt(t, newDirectory(t), options);
}

/** Asserts that `db` has these tables, and of each record everything that PikoDB knew of it. */
export async function assertTables(db, tables) {
  assert.deepEqual(db.listTables().sort(), Object.keys(tables).sort());
  for (const [table, { records }] of Object.entries(tables)) {
    const live = records.filter(({ expiration }) => expiration === null || expiration > Date.now());
    for (const { key, ...expected } of records) {
      const record = await db.getRecord(table, key);
      const found = record === undefined ? undefined : { dictionaryName: null, ...record };
      assert.deepEqual(found, live.some((one) => one.key === key) ? expected : undefined, `${table}, ${key}`);
    }
    assert.equal(await db.getTableSize(table), live.length, table);
    const all = await db.get(table);
    assert.deepEqual(Object.fromEntries(all), Object.fromEntries(live.map(({ key, value }) => [key, value])), table);
  }
}
