// Runs cairn as people see it, and keeps what it shows.

import { spawn as spawnProcess, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { spawn } from '@lydell/node-pty';
import { CairnDB } from 'cairndb';

const program = fileURLToPath(new URL('../dist/cairn.mjs', import.meta.url));

/** What a record is about, so that its sizes and versions are the same each time. */
async function fill(directory) {
  const db = await CairnDB.open(directory);
  const cities = ['Bergen', 'Kyōto', 'Łódź', '東京', 'São Paulo'];
  for (const [index, city] of cities.entries())
    await db.write('cities', city, { rank: index + 1, capital: city === '東京' });
  await db.write('users', 'alice', { name: 'Alice', born: new Date('1990-05-01'), tags: new Set(['admin', 'ops']) });
  await db.write('users', 'bob', { name: 'Bob', balance: 1250n, photo: Buffer.from('89504e47', 'hex') });
  await db.write('users', 'bob', { name: 'Bob', balance: 1300n, photo: Buffer.from('89504e47', 'hex') });
  await db.write('sessions', 's-81f2', { user: 'alice' }, { ttl: 1_800_000 + 30_000 });
  await db.compact();
  await db.write('users', 'carol', { name: 'Carol' });
  await db.close();
}

/** A place with the directory `data` in it, until `work` is done. */
export async function inSample(work) {
  const cwd = mkdtempSync(join(tmpdir(), 'cairndb-docs-'));
  try {
    await fill(join(cwd, 'data'));
    const env = { ...process.env, TERM: 'xterm-256color', NO_COLOR: '1', XDG_STATE_HOME: join(cwd, 'state') };
    delete env.FORCE_COLOR;
    return await work({ cwd, env });
  } finally {
    rmSync(cwd, { recursive: true, force: true });
  }
}

/** Damages the value of bob, as a disk might. */
export function damage({ cwd }) {
  const path = readdirSync(join(cwd, 'data'))
    .map((name) => join(cwd, 'data', name))
    .find((file) => file.endsWith('.stone') && readFileSync(file).includes('Bob'));
  const bytes = readFileSync(path);
  bytes[bytes.indexOf('Bob')] ^= 1;
  writeFileSync(path, bytes);
}

/** What a command shows on both streams, and its exit code if that is not 0. */
export function shown({ cwd, env }, args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], { cwd, env, encoding: 'utf8' });
  const code = status === 0 ? '' : `(exit code ${status})\n`;
  return tidy(`${stdout}${stderr}${code}`, cwd);
}

/** What `watch` shows while an application writes. */
export async function watched({ cwd, env }) {
  const db = await CairnDB.open(join(cwd, 'data'));
  const child = spawnProcess(process.execPath, [program, './data', 'watch'], { cwd, env });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (data) => {
    text += data;
  });
  const until = async (pattern, step) => {
    while (!pattern.test(text)) {
      await step();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  // It tells nothing of what was there before, so that something has to be written until it tells of that.
  await until(/marker/, () => db.write('marker', 'k', 1));
  await db.write('users', 'erin', { name: 'Erin', teams: new Map([['ops', 2]]) });
  await db.write('users', 'erin', { name: 'Erin', teams: new Map([['ops', 3]]) });
  await db.delete('users', 'erin');
  await db.deleteTable('marker');
  await until(/deleteTable/, () => undefined);
  child.kill('SIGINT');
  await new Promise((resolve) => child.once('close', resolve));
  await db.close();
  return tidy(text.replace(/^.*marker.*\n/gm, ''), cwd);
}

/** What a prompt shows while lines are typed. */
export async function typed({ cwd, env }, args, lines) {
  const child = spawn(process.execPath, [program, ...args], { cwd, env, cols: 100, rows: 40 });
  let text = '';
  let changed = () => {};
  child.onData((data) => {
    text += data;
    changed();
  });
  const ended = new Promise((resolve) => child.onExit(resolve));
  for (const [at, line] of lines.entries()) {
    // One more prompt than lines were typed.
    while (unescaped(text).split(/^\S*> /m).length < at + 2) {
      await new Promise((resolve) => {
        changed = resolve;
      });
    }
    child.write(`${line}\r`);
  }
  await ended;
  return tidy(unescaped(text), cwd);
}

/** Without what moves the cursor. */
function unescaped(text) {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is these that are taken out.
  return text.replace(/\x1b\[[0-9;?]*[A-Za-z]|\r/g, '');
}

/** Without the name of the temporary directory, and without ages, which are how fast the machine was. */
function tidy(text, cwd) {
  return text
    .replaceAll(cwd, '/srv/app')
    .replace(/\b(\d) s\b/g, '0 s')
    .replace(/ +$/gm, '');
}
