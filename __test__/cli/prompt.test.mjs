import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openAt } from '../helpers.mjs';
import { cairn, database, emptyDirectory, Terminal } from './helpers.mjs';

const ESCAPE = '\x1b';
const CTRL_C = '\x03';
const CTRL_D = '\x04';
const TAB = '\t';
const UP = `${ESCAPE}[A`;

/** A prompt in a terminal, once it is there. */
async function prompt(t, args, options) {
  const terminal = new Terminal(t, args, { env: { XDG_STATE_HOME: emptyDirectory(t) }, ...options });
  await terminal.until(/> $/);
  return terminal;
}

/** Types a line, and waits for the next prompt; what was shown between. */
async function say(terminal, line) {
  const from = terminal.text.length;
  terminal.type(`${line}\r`);
  const [shown] = await terminal.until(/\n(?:.*\n)*\S+> $/, from);
  return shown.replace(/\S+> $/, '').slice(1);
}

/** Types text and then a key: what comes at once counts as pasted, and a tab in it as one. */
async function press(terminal, text, key, shown) {
  if (text !== '') {
    const before = terminal.text.length;
    terminal.type(text);
    await terminal.until(new RegExp(`${text}$`), before);
  }
  const from = terminal.text.length;
  terminal.type(key);
  await terminal.until(shown, from);
}

async function leave(terminal, keys = CTRL_D) {
  terminal.type(keys);
  return (await terminal.ended()).code;
}

test('prompt: runs commands one after the other, and leaves with exit and Ctrl-D', async (t) => {
  const directory = await database(t);
  const terminal = await prompt(t, [directory]);
  assert.match(terminal.text, /help lists the commands, Ctrl-D leaves\ndata> $/);
  assert.equal(await say(terminal, 'tables'), 'numbers\nusers\n');
  assert.equal(await say(terminal, 'set users carol {"name": "Carol  C.", "list": [1, 2]}'), 'written\n');
  assert.equal(await say(terminal, 'get users carol'), "{ name: 'Carol  C.', list: [ 1, 2 ] }\n");
  assert.equal(await say(terminal, 'count'), '5\n');
  assert.equal(await say(terminal, ''), '');
  assert.equal(await say(terminal, '# a comment'), '');
  assert.equal(await say(terminal, 'nonsense'), 'cairn: there is no command nonsense; use: help\n');
  assert.equal(
    await say(terminal, 'get users nobody'),
    'cairn: there is no record nobody in table users; keys and ls show those there are\n',
  );
  assert.equal(await say(terminal, 'get users'), 'cairn: <key> is missing; use: get <table> <key>\n');
  assert.match(await say(terminal, 'help'), /^Commands\n {2}tables +List/);
  assert.match(await say(terminal, 'help use'), /^Leave out the table/);
  assert.match(await say(terminal, 'get --help'), /^Show the value of a key/);
  assert.equal(await leave(terminal), 0);
  assert.equal(await leave(await prompt(t, [directory]), 'exit\r'), 0);
});

test('prompt: use leaves out the table', async (t) => {
  const directory = await database(t);
  const terminal = await prompt(t, [directory]);
  await say(terminal, 'use users');
  assert.match(terminal.text, /data\/users> $/);
  assert.equal(await say(terminal, 'keys'), 'alice\nbob\n');
  assert.equal(await say(terminal, 'count'), '2\n');
  assert.equal(await say(terminal, 'set dora 1 --if-version 0'), 'written\n');
  assert.equal(await say(terminal, 'get dora'), '1\n');
  assert.equal(await say(terminal, 'del dora'), 'deleted\n');
  assert.match(await say(terminal, 'list'), /^alice: .*\nbob: \{ name: 'Bobby' \}\n$/);
  assert.match(await say(terminal, 'ls --limit 1'), /^key .*\nalice .*\n$/);
  assert.equal(await say(terminal, 'tables'), 'numbers\nusers\n');
  await say(terminal, 'use');
  assert.match(terminal.text, /data> $/);
  assert.equal(await say(terminal, 'keys numbers'), 'big\nmany\n');
  assert.equal(await leave(terminal), 0);
});

test('prompt: names with spaces and quotes are typed as they are shown', async (t) => {
  const keys = ['two words', '"quoted"', "it's", 'back\\slash', 'new\nline', '#hash', '{brace}', '[x'];
  const directory = await database(t, async (db) => {
    for (const key of keys) await db.write('a table', key, key.length);
  });
  const terminal = await prompt(t, [directory]);
  assert.equal(await say(terminal, 'tables'), '"a table"\n');
  const shown = (await say(terminal, 'keys "a table"')).split('\n').slice(0, -1);
  assert.equal(shown.length, keys.length);
  for (const name of shown) {
    const { length } = keys.find((key) => key === name || JSON.stringify(key) === name);
    assert.equal(await say(terminal, `get 'a table' ${name}`), `${length}\n`, name);
  }
  assert.equal(await say(terminal, 'set t "a b" "text"'), 'written\n');
  assert.equal(await say(terminal, 'get t "a b"'), "'text'\n");
  assert.equal(await say(terminal, 'set t "a b" "more text" --string'), 'written\n');
  assert.equal(await say(terminal, 'get t "a b"'), "'more text'\n");
  assert.equal(await leave(terminal), 0);
});

test('prompt: Tab completes commands, options, tables and keys', async (t) => {
  const directory = await database(t);
  const terminal = await prompt(t, [directory]);
  const complete = async (text, line) => {
    await press(terminal, text, TAB, /\w/);
    await terminal.until(new RegExp(`> ${line}$`));
  };
  await complete('cou', 'count');
  await complete(' us', 'count users');
  await press(terminal, '', '\r', /2\ndata> $/);
  await complete('get us', 'get users');
  await complete(' al', 'get users alice');
  await press(terminal, '', '\r', /Alice[\s\S]*data> $/);
  await complete('keys --li', 'keys --limit');
  await press(terminal, '', CTRL_C, /\ndata> $/);
  await say(terminal, 'use users');
  await complete('get b', 'get bob');
  await press(terminal, '', '\r', /Bobby[\s\S]*users> $/);
  // What was written is completed: it is not looked at an old moment.
  await say(terminal, 'set zoe 1');
  await complete('get z', 'get zoe');
  await press(terminal, '', '\r', /1\ndata\/users> $/);
  assert.equal(await leave(terminal), 0);
});

test('prompt: Ctrl-C ends a line and a running command, and not the prompt', async (t) => {
  const directory = await database(t);
  const terminal = await prompt(t, [directory]);
  await press(terminal, 'get users al', CTRL_C, /\ndata> $/);
  assert.equal(await say(terminal, 'count'), '4\n');
  for (let round = 0; round < 3; round += 1) {
    terminal.type('bench\r');
    await terminal.until(/measuring +\d+%/, terminal.text.length);
    const from = terminal.text.length;
    terminal.type(CTRL_C);
    await terminal.until(/data> $/, from);
    assert.doesNotMatch(terminal.text.slice(from), /per second/);
    assert.equal(await say(terminal, 'count users'), '2\n');
  }
  assert.equal(await leave(terminal), 0);
});

test('prompt: the history is kept in the state directory, for its owner, and without what set wrote', async (t) => {
  const directory = await database(t);
  const state = emptyDirectory(t);
  const env = { XDG_STATE_HOME: state };
  const terminal = await prompt(t, [directory], { env });
  await say(terminal, 'set users carol {"password": "secret"}');
  await say(terminal, 'set --string users dora secret');
  await say(terminal, ' get users secret');
  await say(terminal, 'use users');
  await say(terminal, 'set erin "secret"');
  await say(terminal, 'count');
  await leave(terminal);
  const file = join(state, 'cairn', 'history');
  assert.equal(readFileSync(file, 'utf8'), 'set users carol\nset\nuse users\nset erin\ncount\n');
  if (process.platform !== 'win32') assert.equal(statSync(file).mode & 0o777, 0o600);
  const again = await prompt(t, [directory], { env });
  await press(again, '', UP, /count$/);
  await press(again, '', '\r', /\n6\ndata> $|\n7\ndata> $/);
  await press(again, '', UP, /count$/);
  await press(again, '', UP, /set erin$/);
  await press(again, '', CTRL_C, /data> $/);
  await leave(again);
});

test('prompt: works without a place for its history, and says so', async (t) => {
  const directory = await database(t);
  const state = emptyDirectory(t);
  mkdirSync(join(state, 'cairn', 'history'), { recursive: true });
  const terminal = await prompt(t, [directory], { env: { XDG_STATE_HOME: state } });
  assert.match(terminal.text, /the history is not kept: .*EISDIR/);
  assert.equal(await say(terminal, 'count'), '4\n');
  assert.equal(await leave(terminal), 0);
});

test('prompt: lines of a pipe are a script, and its exit code the last that is not 0', async (t) => {
  const directory = await database(t);
  const run = (...lines) => cairn(t, [directory], { input: lines.map((line) => `${line}\n`).join('') });
  assert.deepEqual(await run('count', 'use users', 'get bob'), {
    code: 0,
    signal: null,
    stdout: "4\n{ name: 'Bobby' }\n",
    stderr: '',
  });
  const failed = await run('get users nobody', 'count', 'exit', 'count');
  assert.deepEqual({ ...failed, stderr: '' }, { code: 1, signal: null, stdout: '4\n', stderr: '' });
  assert.equal((await run('get users nobody', 'get users')).code, 2);
  assert.equal((await run('get users', 'get users nobody', 'count')).code, 1);
  assert.deepEqual(await run('# nothing', '', 'tables --json'), {
    code: 0,
    signal: null,
    stdout: '"numbers"\n"users"\n',
    stderr: '',
  });
  const dash = await run('set users x -', '[1,', '2]', 'count');
  assert.equal(dash.code, 2);
  assert.match(dash.stderr, /^cairn: - is stdin, from which the lines of the prompt come; use: set /);
  assert.equal(dash.stdout, '4\n');
  const json = await cairn(t, [directory, '--json'], { input: 'count\r\ncount users' });
  assert.equal(json.stdout, '{"records":4}\n{"records":2}\n');
  await run('set users x 1', 'set users y 2', 'del users x');
  const db = await openAt(t, directory);
  assert.equal(await db.has('users', 'x'), false);
  assert.equal(await db.get('users', 'y'), 2);
});

test("prompt: worsen's commands go to its stores", async (t) => {
  const parent = emptyDirectory(t);
  const { PersistentStore } = await import('cairndb/worsen');
  const store = new PersistentStore('sessions', { db_dir: join(parent, 'db_dir') });
  await store.init();
  await store.write({ uid: 'u1', data: { name: 'one' } });
  await store.close();
  const input = 'init db_dir sessions\nkeys\nget u1\nlist\nexit\n';
  const { code, stdout, stderr } = await cairn(t, [parent], { input, cwd: parent });
  assert.equal(stderr, '');
  assert.equal(code, 0);
  assert.match(stdout, /^u1\n\{.*'one'.*\n*.*\}\nu1: .*\n$/);
  const missing = await cairn(t, [parent], { input: 'init nowhere\n', cwd: parent });
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /^cairn: there is no directory nowhere; .*\n$/);
});
