import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { database, emptyDirectory, json, prints, program } from './helpers.mjs';

/** Why a shell is not tried; undefined: it is. */
function missing(shell) {
  return spawnSync(shell, ['-c', 'true']).status === 0 ? false : `not on this machine: ${shell}`;
}

/** A directory for PATH in which `cairn` is what is tested. */
function withCairn(t) {
  const directory = emptyDirectory(t);
  const file = join(directory, 'cairn');
  writeFileSync(file, `#!/bin/sh\nexec "${process.execPath}" "${program}" "$@"\n`);
  chmodSync(file, 0o755);
  return `${directory}:${process.env.PATH}`;
}

test('completions: each shell gets all commands, and the options of each', async (t) => {
  const [{ commands }] = await json(t, ['help']);
  for (const shell of ['bash', 'zsh', 'fish']) {
    const script = await prints(t, ['completions', shell]);
    for (const { name, options = {}, place } of commands) {
      if (place === 'prompt') continue;
      assert.match(script, new RegExp(`\\b${name}\\b`), `${shell}: ${name}`);
      for (const option of Object.keys(options)) assert.ok(script.includes(option), `${shell}: ${name} --${option}`);
    }
  }
});

if (process.platform !== 'win32') {
  test('completions: bash completes commands, options and tables, and runs nothing that a table is called', {
    skip: missing('bash'),
  }, async (t) => {
    const cwd = emptyDirectory(t);
    const evil = '$(id>proof)';
    const directory = await database(t, async (db) => {
      for (const table of ['users', 'ultra', 'two words', evil]) await db.write(table, 'k', 1);
    });
    const script = await prints(t, ['completions', 'bash']);
    const env = { ...process.env, PATH: withCairn(t) };
    const complete = (...words) => {
      const lines = [
        `COMP_WORDS=(cairn ${words.map((word) => `'${word}'`).join(' ')})`,
        `COMP_CWORD=${words.length}`,
        '_cairn',
        `printf "%s\\n" "\${COMPREPLY[@]}"`,
      ];
      const { stdout, stderr, status } = spawnSync('bash', ['-c', `${script}\n${lines.join('\n')}`], {
        env,
        encoding: 'utf8',
        cwd,
      });
      assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
      return stdout.split('\n').filter(Boolean);
    };
    assert.deepEqual(complete('he'), ['help']);
    assert.deepEqual(complete(directory, 'co'), ['count', 'compact']);
    assert.deepEqual(complete(directory, 'keys', 'users', '--li'), ['--limit']);
    assert.deepEqual(complete(directory, 'get', 'u'), ['ultra', 'users']);
    assert.deepEqual(complete(directory, 'get', '$'), [evil]);
    assert.deepEqual(complete('completions', ''), ['bash', 'zsh', 'fish']);
    assert.equal(existsSync(join(cwd, 'proof')), false);
  });

  for (const shell of ['zsh', 'fish']) {
    test(`completions: ${shell} reads its script`, { skip: missing(shell) }, async (t) => {
      const script = await prints(t, ['completions', shell]);
      const { status, stderr } = spawnSync(shell, ['-n'], { input: script, encoding: 'utf8' });
      assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
    });
  }
}
