// The command line's import and export in processes of their own.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CairnDB } from 'cairndb';
import { ended, newDirectory, onEnd } from '../helpers.mjs';

export const PROGRAM = fileURLToPath(new URL('../../dist/cairn.mjs', import.meta.url));

/** A folder that is removed after the test. */
export function newFolder(t) {
  const folder = dirname(newDirectory(t));
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** Starts `cairn`. */
export function start(t, args, { nodeArgs = [], ...options } = {}) {
  const env = { ...process.env, NO_COLOR: '1' };
  const child = spawn(process.execPath, [...nodeArgs, PROGRAM, ...args], { stdio: 'pipe', env, ...options });
  onEnd(t, () => child.kill('SIGKILL'));
  // Whoever does not read its input may have ended before that was written.
  child.stdin.on('error', () => {});
  return child;
}

/** Runs `cairn` to its end. */
export function cairn(t, args, { input = '', ...options } = {}) {
  const child = start(t, args, options);
  child.stdin.end(input);
  return ended(child);
}

/** What `cairn` prints, which must be done well. */
export async function prints(t, args, options) {
  const { code, stdout, stderr } = await cairn(t, args, options);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' }, args.join(' '));
  return stdout;
}

/** Runs an import; its report. */
export async function imports(t, directory, args, options) {
  return JSON.parse(await prints(t, [directory, 'import', '--json', ...args], options));
}

/** Asserts that `cairn` ends with this code, and says why in one line. */
export async function fails(t, args, expected, pattern, options) {
  const { code, stdout, stderr } = await cairn(t, args, options);
  assert.match(stderr, /^cairn: [^\n]*\n$/);
  assert.match(stderr, pattern);
  assert.deepEqual({ code, stdout }, { code: expected, stdout: '' }, stderr);
}

/** A file with this content, in a folder that is removed after the test. */
export function fileOf(t, name, content) {
  const path = join(newFolder(t), name);
  writeFileSync(path, content);
  return path;
}

/** The JSON lines of an export. */
export async function exportedLines(t, directory, ...args) {
  const text = await prints(t, [directory, 'export', ...args]);
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}

/** What `work` does with the database of a directory, which is closed afterwards. */
export async function inDatabase(directory, work) {
  const db = await CairnDB.open(directory);
  try {
    return await work(db);
  } finally {
    await db.close();
  }
}

/** All records of a database, by table and key. */
export function recordsOf(directory) {
  return inDatabase(directory, async (db) => {
    const tables = {};
    for (const table of db.listTables()) {
      tables[table] = new Map();
      for await (const key of db.keys(table)) tables[table].set(key, await db.getRecord(table, key));
    }
    return tables;
  });
}
