// What a machine must have for a test on a real file system, and how a script gets one of its own.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { ended, newDirectory, onEnd, scriptArgs } from '../helpers.mjs';

/** Mounts in a namespace are seen by the processes in it only, and gone when the last of them ends, however it does. */
const NAMESPACE = [
  ...['unshare', '--mount', '--propagation', 'private'],
  ...(process.getuid?.() === 0 ? [] : ['--user', '--map-root-user']),
];

const probes = {
  tmpfs: () => inNamespace('mount -t tmpfs -o size=1m none /tmp'),
  ext4: () =>
    inNamespace(
      'f=$(mktemp) && truncate -s 4M $f && mkfs.ext4 -qF $f && mount -o loop $f /mnt; s=$?; rm -f $f; exit $s',
    ),
  fuse: () => inNamespace('test -w /dev/fuse') ?? run('cargo', '--version'),
  limits: () => run('prlimit', '--pid', process.pid, '--nofile'),
};
const known = {};

function inNamespace(script) {
  return run(...NAMESPACE, 'sh', '-c', script);
}

/** Why a command does not work here; `undefined` if it does. */
function run(command, ...args) {
  if (process.platform !== 'linux') return `it is ${process.platform}, and this needs Linux`;
  const { error, status, stderr } = spawnSync(command, args.map(String), { encoding: 'utf8' });
  if (error !== undefined) return error.message;
  return status === 0 ? undefined : stderr.trim().split('\n').at(-1) || `${command} ended with ${status}`;
}

/** The options of a test that needs something: where it is missing, the test says so instead of running. */
export function needs(what) {
  known[what] ??= { reason: probes[what]() };
  const { reason } = known[what];
  return reason === undefined ? {} : { skip: `not on this machine: ${what}: ${reason}` };
}

/** Runs a script of this folder to its good end, in a namespace of its own, where it may mount. */
export async function runScript(t, name, args = [], env = {}) {
  const [command, ...before] = NAMESPACE;
  // Where it mounts; outside of the namespace it is empty.
  const place = newDirectory(t);
  mkdirSync(place);
  const file = fileURLToPath(new URL(name, import.meta.url));
  const script = [process.execPath, ...scriptArgs(file), ...args.map(String)];
  const child = spawn(command, [...before, ...script], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env, TMPDIR: place },
  });
  onEnd(t, () => child.kill('SIGKILL'));
  const { code, signal, stdout, stderr } = await ended(child);
  if (code !== 0) throw new Error(`${name} ${args.join(' ')} ended with ${code ?? signal}:\n${stdout}${stderr}`);
  return stdout;
}

/** Mounts a new file system of some MiB, in a script that has a namespace of its own, and returns its directory. */
export function mount(type, mebibytes) {
  const place = mkdtempSync(join(tmpdir(), 'cairndb-disk-'));
  process.on('exit', () => rmSync(`${place}.image`, { force: true }));
  if (type === 'tmpfs') execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'none', place]);
  else {
    writeFileSync(`${place}.image`, '');
    truncateSync(`${place}.image`, mebibytes << 20);
    // Without blocks that only root may use: full is full.
    execFileSync(`mkfs.${type}`, ['-q', '-F', '-m', '0', `${place}.image`]);
    execFileSync('mount', ['-o', 'loop', `${place}.image`, place]);
  }
  return place;
}

/** Mounts it anew, from what is on its image. */
export function remount(type, place) {
  // The kernel closes the files of a process that was killed a moment after it is gone.
  for (let tries = 0; spawnSync('umount', [place]).status !== 0; tries += 1) {
    if (tries === 500) throw new Error(`${place} is still in use`);
    spawnSync('sleep', ['0.01']);
  }
  execFileSync('mount', ['-t', type, '-o', 'loop', `${place}.image`, place]);
}
