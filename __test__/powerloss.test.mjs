import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { needs, runScript } from './disks/machine.mjs';

/** Builds the file system whose power can be cut, and returns the path of its program. */
function buildStrictDisk() {
  const cwd = fileURLToPath(new URL('..', import.meta.url));
  const args = ['build', '--package', 'cairndb-powerloss', '--message-format', 'json-render-diagnostics'];
  const report = execFileSync('cargo', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  const lines = report.split('\n').filter((line) => line.startsWith('{'));
  return lines.map((line) => JSON.parse(line).executable).findLast((path) => typeof path === 'string');
}

async function losesNothing(t, disk, env) {
  const output = await runScript(t, '../powerloss/run.mjs', [disk, '--rounds', '12', '--seed', '1'], env);
  t.diagnostic?.(output.trim().replaceAll('\n', '; '));
  assert.match(output, /^unsynced control: [1-9]\d* of 200 writes lost$/m);
  const [, checked] = /, (\d+) acknowledged writes checked/.exec(output);
  assert.ok(Number(checked) > 100, output);
}

test('power cuts of a file system that keeps only what was synced', needs('fuse'), (t) =>
  losesNothing(t, 'strict', { CAIRNDB_POWERLOSS: buildStrictDisk() }),
);

test('power cuts of ext4', needs('ext4'), (t) => losesNothing(t, 'ext4'));
