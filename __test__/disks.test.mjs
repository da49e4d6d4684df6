import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { dirname } from 'node:path';
import process from 'node:process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { needs, runScript } from './disks/machine.mjs';
import { ended, newDirectory, onEnd, scriptArgs } from './helpers.mjs';

/** Does something bad to a database in a process of its own, which may open few files. */
async function strike(t, fault) {
  const directory = newDirectory(t);
  // It may become a user without rights.
  chmodSync(dirname(directory), 0o777);
  const file = fileURLToPath(new URL('./disks/faults.mjs', import.meta.url));
  const runtime = [process.execPath, ...scriptArgs(file)];
  const child = spawn('sh', ['-c', 'ulimit -S -n 128 && exec "$@"', 'sh', ...runtime, fault, directory]);
  onEnd(t, () => child.kill('SIGKILL'));
  const { code, signal, stderr } = await ended(child);
  assert.equal(code, 0, `ended with ${code ?? signal}: ${stderr}`);
}

for (const disk of ['tmpfs', 'ext4']) {
  for (const level of ['eventual', 'os', 'full']) {
    test(`${disk} that is full under writes at level ${level}`, needs(disk), (t) =>
      runScript(t, 'full.mjs', [disk, level]),
    );
  }
}

if (process.platform !== 'win32') {
  // The system's signal for it ends a process, unless its runtime takes care of that, as Node.js and Bun do.
  const fileSize = globalThis.Deno ? { skip: 'not on this machine: a Deno that survives SIGXFSZ' } : needs('limits');
  test('files that may become no longer (ulimit -f)', fileSize, (t) => strike(t, 'fileSize'));

  for (const [what, fault] of [
    ['no further file may be opened (ulimit -n)', 'openFiles'],
    ['a directory that was made read-only', 'readOnly'],
    ['files of tables that were removed', 'stonesRemoved'],
    ['a journal that was removed', 'journalRemoved'],
    ['manifests that were removed, with a next generation', 'manifestsRemoved'],
    ['manifests that were removed, without a next generation', 'manifestsRemovedAtLast'],
    ['a directory that was removed', 'directoryRemoved'],
  ]) {
    test(what, (t) => strike(t, fault));
  }
}
