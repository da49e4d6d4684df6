// The commands of docs/moving.md do what the page says.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { test } from 'node:test';
import { ended } from '../helpers.mjs';
import { newFolder, PROGRAM } from './helpers.mjs';

const page = readFileSync(new URL('../../docs/moving.md', import.meta.url), 'utf8');
const blocks = [...page.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block]) => block);
const skip = process.platform === 'win32' && 'not on this machine: sh';

test('the commands of docs/moving.md print what it says, one after the other', { skip }, async (t) => {
  const folder = newFolder(t);
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  writeFileSync(join(bin, 'cairn'), `#!/bin/sh\nexec "${process.execPath}" "${PROGRAM}" "$@"\n`, { mode: 0o755 });
  const env = { ...process.env, NO_COLOR: '1', PATH: `${bin}${delimiter}${process.env.PATH}` };
  assert.ok(blocks.length >= 5);
  for (const block of blocks) {
    const expected = [...block.matchAll(/^#> (.*)$/gm)].map(([, line]) => line);
    const child = spawn('sh', ['-c', `exec 2>&1\n${block}`], { cwd: folder, env });
    const { code, stdout } = await ended(child);
    assert.equal(code, 0, stdout);
    assert.deepEqual(stdout.split(/\r?\n/).slice(0, -1), expected);
  }
});
