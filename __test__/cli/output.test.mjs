import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { ended, onEnd } from '../helpers.mjs';
import { cairn, database, inTerminal, json, plain, prints, program, start } from './helpers.mjs';

const ESCAPE = '\x1b';

/** Columns that a line takes in which CJK and emoji take two. */
function columnsOf(line) {
  let columns = 0;
  for (const { segment } of new Intl.Segmenter('en').segment(line))
    columns += /[\u3000-\uffef]|\p{Emoji_Presentation}|\ufe0f/u.test(segment) ? 2 : 1;
  return columns;
}

async function wide(db) {
  await db.write('t', 'ascii', 1);
  await db.write('t', 'キーワード', 1);
  await db.write('t', 'e\u0301te\u0301', 1);
  await db.write('t', '👨‍👩‍👧 family', 1);
  await db.write('t', '❤️🇯🇵', 1);
}

test('cairn: columns are aligned by what characters take on the screen', async (t) => {
  const directory = await database(t, wide);
  const lines = (await prints(t, [directory, 'ls', 't'])).split('\n').slice(0, -1);
  assert.equal(lines.length, 6);
  const ends = lines.map((line) => columnsOf(/^.* B|^.*size/.exec(line)[0]));
  assert.deepEqual(new Set(ends).size, 1, `${ends}\n${lines.join('\n')}`);
});

test('cairn: tables are cut to the width of the terminal, and never in a pipe', async (t) => {
  const long = `k${'漢'.repeat(100)}`;
  const directory = await database(t, async (db) => {
    await wide(db);
    await db.write('t', long, 1);
  });
  assert.ok((await prints(t, [directory, 'ls', 't'])).includes(long));
  for (const columns of [1, 12, 33, 40, 80, 300]) {
    const { code, text } = await inTerminal(t, [directory, 'ls', 't'], { columns });
    assert.equal(code, 0);
    const lines = text.split('\n').slice(0, -1);
    assert.equal(lines.length, 7, 'no line was broken by the terminal');
    for (const line of lines) assert.ok(columnsOf(line) <= columns, `${columns}: ${line}`);
    assert.equal(text.includes('…'), columns < 300);
    if (columns >= 40) assert.match(text, /^k漢+… .* B$|^k漢{100} .* B$/m, 'the figures are whole');
  }
});

test('cairn: data cannot drive the terminal', async (t) => {
  const evil = ['\x1b[2Jclear', 'bell\x07', 'two\nlines', '\x9b31mc1', 'right\u202eleft', 'tab\there', 'delete\x7f'];
  const directory = await database(t, async (db) => {
    for (const text of evil) {
      await db.write('t', text, { [text]: text, list: [text] });
      await db.write(`table ${text}`, 'k', text);
    }
  });
  const commands = [
    ['tables'],
    ['ls'],
    ['ls', 't'],
    ['keys', 't'],
    ['stats'],
    ...evil.map((key) => ['get', 't', key]),
    ['get', 't', `${evil[0]}x`],
    ['get', evil[0], 'x'],
    [evil[0]],
  ];
  for (const args of commands) {
    for (const { stdout, stderr } of [await cairn(t, [directory, ...args])]) {
      for (const unit of stdout + stderr)
        assert.ok(!/(?!\n)\p{Cc}|[\u2028-\u202e\u2066-\u2069]/u.test(unit), `${args}: ${JSON.stringify(unit)}`);
    }
  }
  assert.deepEqual((await json(t, [directory, 'keys', 't'])).sort(), [...evil].sort(), 'JSON is exact');
  const lines = (await prints(t, [directory, 'keys', 't'])).split('\n').slice(0, -1);
  assert.deepEqual(lines.map((line) => JSON.parse(line)).sort(), [...evil].sort(), 'and so are the quoted ones');
});

test('cairn: colours are for terminals, unless the environment says something else', async (t) => {
  const directory = await database(t);
  const args = [directory, 'get', 'users', 'alice'];
  const piped = async (env) => (await prints(t, args, { env })).includes(ESCAPE);
  assert.equal(await piped({}), false);
  assert.equal(await piped({ FORCE_COLOR: '1' }), true);
  assert.equal(await piped({ FORCE_COLOR: '' }), true);
  assert.equal(await piped({ FORCE_COLOR: '0' }), false);
  assert.equal(await piped({ FORCE_COLOR: '1', NO_COLOR: '1' }), true);
  const shown = async (env) => {
    const { code, output, text } = await inTerminal(t, args, { env });
    assert.equal(code, 0);
    assert.match(text, /Alice/);
    return output.includes(`${ESCAPE}[3`);
  };
  assert.equal(await shown({}), true);
  assert.equal(await shown({ NO_COLOR: '' }), true);
  assert.equal(await shown({ NO_COLOR: '1' }), false);
  assert.equal(await shown({ TERM: 'dumb' }), false);
});

test('cairn: a large value is bounded on a terminal, with a note, and whole in a pipe', async (t) => {
  const deep = { a: { b: { c: { d: { e: { f: { g: { h: { i: { j: 'bottom' } } } } } } } } } };
  const values = {
    items: Array.from({ length: 200 }, (_, index) => index),
    text: 'x'.repeat(20_000),
    deep,
    bytes: Buffer.alloc(1000, 7),
  };
  const directory = await database(t, async (db) => {
    for (const [key, value] of Object.entries(values)) await db.write('t', key, value);
    await db.write('t', 'looks', ['... 5 more items', '[Object]']);
  });
  const ends = {
    items: /199\s*\]\n$/,
    text: /^'x{20000}'\n$/,
    deep: /j: 'bottom'/,
    bytes: /^<Buffer(?: 07){1000}>\n$/,
  };
  for (const [key, end] of Object.entries(ends)) {
    const args = [directory, 'get', 't', key];
    assert.match(await prints(t, args), end);
    const { text } = await inTerminal(t, args);
    assert.doesNotMatch(text, end);
    assert.match(text, /\n\(shortened; all of it: --json, or in a pipe\)\n$/);
  }
  assert.doesNotMatch((await inTerminal(t, [directory, 'get', 't', 'looks'])).text, /shortened/);
});

test('cairn: a pipe that is closed ends it quietly, and not as a failure', async (t) => {
  const directory = await database(t, async (db) => {
    await Promise.all(Array.from({ length: 50_000 }, (_, index) => db.write('t', `key-${index}`, index)));
  });
  for (const args of [
    ['keys', 't'],
    ['ls', 't'],
    ['keys', 't', '--json'],
  ]) {
    const child = start(t, [directory, ...args]);
    child.stdout.once('data', () => child.stdout.destroy());
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text) => {
      stderr += text;
    });
    const code = await new Promise((resolve) => child.once('exit', resolve));
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  }
});

if (process.platform !== 'win32') {
  test('cairn: behind | head -1 one line comes out', async (t) => {
    const directory = await database(t, async (db) => {
      await Promise.all(Array.from({ length: 20_000 }, (_, index) => db.write('t', `key-${10_000 + index}`, index)));
    });
    const line = `set -o pipefail; "${process.execPath}" "${program}" "${directory}" keys t | head -1; echo "\${PIPESTATUS[0]}"`;
    const child = spawn('bash', ['-c', line], { stdio: 'pipe' });
    onEnd(t, () => child.kill());
    const { stdout, stderr } = await ended(child);
    assert.deepEqual({ stdout, stderr }, { stdout: 'key-10000\n0\n', stderr: '' });
  });

  test('cairn: an output that cannot be written is an error', async (t) => {
    const directory = await database(t);
    const child = spawn('bash', ['-c', `exec "${process.execPath}" "${program}" "${directory}" tables > /dev/full`]);
    onEnd(t, () => child.kill());
    const { code, stderr } = await ended(child);
    assert.equal(code, 3);
    assert.match(stderr, /^cairn: .*ENOSPC.*\n$/);
  });
}

test('cairn: progress is shown on a terminal, and taken away', async (t) => {
  const directory = await database(t);
  const shown = await inTerminal(t, [directory, 'bench']);
  assert.match(plain(shown.output), /measuring +\d+% ▕█/);
  assert.ok(shown.output.includes(`\r${ESCAPE}[K${ESCAPE}[1mwhat`), 'the bar is gone before the table comes');
  const { stderr } = await cairn(t, [directory, 'bench']);
  assert.equal(stderr, '');
});
