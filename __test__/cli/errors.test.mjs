import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { cairn, database, emptyDirectory, inTerminal, json, prints } from './helpers.mjs';

/** Asserts that a command ends with this code, one line on stderr and nothing else. */
async function fails(t, args, code, pattern, options) {
  const result = await cairn(t, args, options);
  assert.equal(result.stdout, '', args.join(' '));
  assert.match(result.stderr, /^cairn: [^\n]+\n$/, args.join(' '));
  assert.match(result.stderr, pattern);
  assert.equal(result.code, code, `${args.join(' ')}: ${result.stderr}`);
}

test('cairn: exits with 1 if the answer is no', async (t) => {
  const directory = await database(t);
  await fails(t, [directory, 'get', 'users', 'nobody'], 1, /no record nobody in table users/);
  await fails(t, [directory, 'get', 'nothing', 'x', '--json'], 1, /no record x in table nothing/);
  await fails(t, [directory, 'del', 'users', 'nobody'], 1, /nothing was deleted/);
  await fails(t, [directory, 'set', 'users', 'alice', '1', '--if-version', '7'], 1, /version 1/);
  const { code, text } = await inTerminal(t, [directory, 'get', 'users', 'nobody']);
  assert.equal(code, 1);
  assert.match(text, /^cairn: there is no record nobody/);
});

test('cairn: exits with 2 after wrong use, and shows the right one', async (t) => {
  const directory = await database(t);
  const use = (line) => new RegExp(`; use: ${line.replace(/[[\]<>|]/g, '\\$&')}`);
  await fails(t, [], 2, use('cairn <directory> [command]'));
  await fails(t, [directory, 'nonsense'], 2, /no command nonsense/);
  await fails(t, [directory, 'use', 't'], 2, /prompt alone/);
  await fails(t, [directory, 'get'], 2, use('cairn <directory> get <table> <key>'));
  await fails(t, [directory, 'get', 'users'], 2, /<key> is missing/);
  await fails(t, [directory, 'get', 'users', 'a', 'b'], 2, /b is one argument too many/);
  await fails(t, [directory, 'tables', 'users'], 2, /one argument too many/);
  await fails(t, [directory, 'get', 'users', 'alice', '--nonsense'], 2, /--nonsense/);
  await fails(t, [directory, 'keys', 'users', '--limit'], 2, /--limit/);
  await fails(t, [directory, 'keys', 'users', '--limit', 'x'], 2, /--limit is x; give a whole number/);
  await fails(t, [directory, 'keys', 'users', '--limit', '-1'], 2, /--limit is -1/);
  await fails(t, [directory, 'keys', 'users', '--reverse=yes'], 2, /--reverse/);
  await fails(t, [directory, 'set', 'users', 'x', '1', '--ttl', '0s'], 2, /--ttl is 0s/);
  await fails(t, [directory, 'set', 'users', 'x', '1', '--ttl', 'soon'], 2, /such as 90s/);
  await fails(t, [directory, 'set', 'users', 'x', '1', '--if-version', '1.5'], 2, /--if-version is 1.5/);
  await fails(t, [directory, 'set', 'users', 'x', '{bad'], 2, /not JSON.*--string/);
  await fails(t, [directory, 'set', 'users', 'x', '{"$Nonsense":1}'], 2, /\$Nonsense/);
  await fails(t, [directory, 'set', 'users', 'x', '-'], 2, /not JSON/);
  await fails(t, [directory, 'set', 'a/b', 'x', '1'], 2, /path separator/);
  await fails(t, [directory, 'get', 'users', ''], 2, /key/i);
  await fails(t, [directory, 'prune'], 2, /--keep <number> is missing/);
  await fails(t, [directory, 'prune', '--keep', '0'], 2, /--keep is 0/);
  await fails(t, [directory, 'repair'], 2, /<target> is missing/);
  await fails(t, ['completions', 'powershell'], 2, /no completions for powershell/);
  await fails(t, ['help', 'nonsense'], 2, /no command nonsense/);
  assert.equal(await prints(t, [directory, 'count']), '4\n');
});

test('cairn: says so when the directory was forgotten', async (t) => {
  const cwd = emptyDirectory(t);
  for (const args of [['ls'], ['get', 'users', 'alice'], ['count', 'users']]) {
    await fails(t, args, 2, new RegExp(`${args[0]} stands behind the directory`), { cwd });
  }
  mkdirSync(join(cwd, 'ls'));
  await fails(t, ['ls', 'count'], 3, /no database/, { cwd });
  assert.deepEqual(readdirSync(cwd), ['ls']);
});

test('cairn: exits with 3 where there is no database, and makes none', async (t) => {
  const parent = emptyDirectory(t);
  const missing = join(parent, 'missing');
  const empty = join(parent, 'empty');
  const file = join(parent, 'file');
  mkdirSync(empty);
  writeFileSync(file, 'x');
  const commands = [
    ['tables'],
    ['ls'],
    ['get', 't', 'k'],
    ['stats'],
    ['verify'],
    ['del', 't', 'k'],
    ['compact'],
    ['repair', join(parent, 'to')],
  ];
  for (const args of commands) {
    for (const directory of [missing, empty, file]) await fails(t, [directory, ...args], 3, /director|file/);
  }
  await fails(t, [file, 'set', 't', 'k', '1'], 3, /file/);
  assert.equal(existsSync(missing), false);
  assert.deepEqual(readdirSync(empty), []);
  assert.deepEqual(readdirSync(parent).sort(), ['empty', 'file']);
});

test('cairn: shows where an error comes from with --debug alone', async (t) => {
  const directory = await database(t);
  for (const args of [
    ['--debug', directory, 'get', 'a/b', 'k'],
    [directory, '--debug', 'get', 'a/b', 'k'],
    [directory, 'get', 'a/b', 'k', '--debug'],
  ]) {
    const { code, stderr } = await cairn(t, args);
    assert.equal(code, 2);
    assert.match(stderr, /^cairn: table name .*\n(?:.*\n)* +at .*\.mjs:\d+/);
  }
});

test('cairn: help is everywhere', async (t) => {
  const directory = await database(t);
  const general = await prints(t, ['--help']);
  assert.match(general, /^Usage\n {2}cairn <directory> \[command\] \[arguments\]/m);
  for (const args of [['-h'], ['help'], [directory, '--help'], [directory, 'help']])
    assert.equal(await prints(t, args), general);
  const [{ commands }] = await json(t, ['help']);
  assert.ok(commands.length > 15);
  for (const { name, summary, place, options = {}, examples } of commands) {
    const text = await prints(t, ['help', name]);
    assert.ok(text.startsWith(`${summary}.\n\nUsage\n`), text);
    for (const option of [...Object.keys(options), 'json', 'help', 'debug']) assert.ok(text.includes(`--${option}`));
    assert.ok(examples.length > 0);
    for (const { line } of examples) assert.ok(text.includes(line));
    if (place === 'prompt') continue;
    assert.ok(general.includes(`\n  ${name} `));
  }
  const get = await prints(t, ['help', 'get']);
  for (const args of [
    ['get', '--help'],
    [directory, 'get', '--help'],
    [directory, 'get', '-h', 'x'],
    ['--help', 'get'],
    ['no/such/place', 'get', '--help'],
  ]) {
    assert.equal(await prints(t, args), get);
  }
  assert.equal((await inTerminal(t, ['help', 'get'])).text, get);
});
