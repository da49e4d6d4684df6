import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { spawn as spawnTerminal } from '@lydell/node-pty';
import { CairnDB } from 'cairndb';
import { ended, newDirectory, onEnd } from '../helpers.mjs';

export const program = fileURLToPath(new URL('../../dist/cairn.mjs', import.meta.url));

/** What the command line is run with: nothing of this machine decides how things look. */
function environment(env) {
  const { NO_COLOR, FORCE_COLOR, COLORTERM, ...rest } = process.env;
  return { ...rest, TERM: 'xterm-256color', XDG_STATE_HOME: join(tmpdir(), 'no', 'such', 'place'), ...env };
}

/** An empty directory that is removed after the test. */
export function emptyDirectory(t) {
  const directory = mkdtempSync(join(tmpdir(), 'cairndb-cli-'));
  onEnd(t, () => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Starts `cairn` with pipes. */
export function start(t, args, { env = {}, ...options } = {}) {
  const child = spawn(process.execPath, [program, ...args], { env: environment(env), stdio: 'pipe', ...options });
  onEnd(t, () => child.kill('SIGKILL'));
  return child;
}

/** Runs `cairn` in pipes to its end. */
export function cairn(t, args, { input = '', ...options } = {}) {
  const child = start(t, args, options);
  // Whoever does not read it may have ended before it was written.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  return ended(child);
}

/** What `cairn` prints, which must be done well. */
export async function prints(t, args, options) {
  const { code, stdout, stderr } = await cairn(t, args, options);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' }, args.join(' '));
  return stdout;
}

/** The lines of JSON that `cairn --json` prints. */
export async function json(t, args, options) {
  const text = await prints(t, [...args, '--json'], options);
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}

/** Text without what moves the cursor or colours. */
export function plain(text) {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is these that are looked for.
  return text.replace(/\x1b\[[0-9;?]*[A-Za-z]|\r/g, '');
}

/** `cairn` in a pseudo-terminal. */
export class Terminal {
  /** All that was shown. */
  output = '';
  #child;
  #changed = () => {};
  #end;
  #timer;

  constructor(t, args, { columns = 80, env = {}, cwd } = {}) {
    const options = { cols: columns, rows: 24, name: env.TERM ?? 'xterm-256color', env: environment(env), cwd };
    this.#child = spawnTerminal(process.execPath, [program, ...args], options);
    this.#child.onData((text) => {
      this.output += text;
      this.#changed();
    });
    this.#end = new Promise((resolve) => {
      this.#child.onExit(({ exitCode, signal }) => {
        this.#child = undefined;
        resolve({ code: exitCode, signal });
      });
    });
    onEnd(t, () => this.#child?.kill('SIGKILL'));
  }

  /** What was shown, as it is read. */
  get text() {
    return plain(this.output);
  }

  type(keys) {
    this.#child.write(keys);
  }

  signal(name) {
    process.kill(this.#child.pid, name);
  }

  /** Waits until what was shown behind `from` matches; what matched. Gives up after a minute, which is never a pass. */
  async until(pattern, from = 0) {
    const timeout = new Promise((_, reject) => {
      this.#timer = setTimeout(
        () => reject(new Error(`${pattern} was not shown in ${JSON.stringify(this.text.slice(from))}`)),
        60_000,
      );
    });
    try {
      return await Promise.race([timeout, this.#shown(pattern, from)]);
    } finally {
      clearTimeout(this.#timer);
    }
  }

  async #shown(pattern, from) {
    for (;;) {
      const found = pattern.exec(this.text.slice(from));
      if (found) return found;
      await new Promise((resolve) => {
        this.#changed = resolve;
      });
    }
  }

  /** Waits for the end; exit code and text. */
  async ended() {
    const { code, signal } = await this.#end;
    return { code, signal, text: this.text, output: this.output };
  }
}

/** Runs `cairn` in a pseudo-terminal to its end. */
export function inTerminal(t, args, options) {
  return new Terminal(t, args, options).ended();
}

/** Fills a database, and closes it; its directory. */
export async function database(t, fill = sample, options = {}) {
  const db = await CairnDB.open(newDirectory(t), options);
  await fill(db);
  await db.close();
  return db.directory;
}

/** Two tables with a little of everything. */
export async function sample(db) {
  await db.write('users', 'alice', { name: 'Alice', born: new Date('1990-05-01'), tags: ['a', 'b'] });
  await db.write('users', 'bob', { name: 'Bob' }, { ttl: 3_600_000 });
  await db.write('users', 'bob', { name: 'Bobby' }, { ttl: 3_600_000 });
  await db.write('numbers', 'big', 12n);
  await db.write('numbers', 'many', new Map([[1, new Set([2])]]));
}
