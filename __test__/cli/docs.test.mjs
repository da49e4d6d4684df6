import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const at = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

test('docs/cairn.md and the man page are what cairn says and shows', () => {
  const { status, stderr } = spawnSync(process.execPath, [at('scripts/cli-docs.mjs'), '--check'], { encoding: 'utf8' });
  assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
});

test('the man page is one that man can read', {
  skip: spawnSync('man', ['--version']).status === 0 ? false : 'not on this machine: man',
}, () => {
  const { status, stderr } = spawnSync('man', ['--warnings', '-l', at('man/cairn.1')], {
    encoding: 'utf8',
    env: { ...process.env, MANWIDTH: '100' },
  });
  assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
});

test('the package has the command and its man page', () => {
  const { bin, man, files } = JSON.parse(readFileSync(at('package.json'), 'utf8'));
  assert.deepEqual({ bin, man }, { bin: { cairn: './dist/cairn.mjs' }, man: './man/cairn.1' });
  assert.ok(files.includes('dist') && files.includes('man'));
  assert.match(readFileSync(at('dist/cairn.mjs'), 'utf8'), /^#!\/usr\/bin\/env node\n/);
});
