// Disks whose power can be cut, for a script that has a mount namespace of its own.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { mount, remount } from '../disks/machine.mjs';

/**
 * Our own file system, at its strictest: a file's bytes are kept by a sync of the file only, and its name by one of the
 * directory. Each second cut leaves some of the rest, page by page.
 */
async function strictDisk() {
  const binary = process.env.CAIRNDB_POWERLOSS;
  const directory = mkdtempSync(join(tmpdir(), 'cairndb-power-'));
  const server = spawn(binary, [directory], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: server.stdout })[Symbol.asyncIterator]();
  const mounted = async () => {
    const { value } = await lines.next();
    if (value !== 'mounted') throw new Error('the file system has ended');
  };
  await mounted();
  const cutPower = async (round) => {
    server.stdin.write(round % 2 === 0 ? 'cut\n' : `cut ${round}\n`);
    await mounted();
  };
  // The server would keep this process from ending.
  return { directory, cutPower, end: () => server.kill() };
}

/** ext4, stopped by the kernel without a last write, as if the power went, and mounted again. */
async function ext4Disk() {
  const place = mount('ext4', 64);
  const stop =
    'import fcntl,os,struct,sys; fcntl.ioctl(os.open(sys.argv[1],os.O_RDONLY),0x8004587D,struct.pack("I",2))';
  const cutPower = async () => {
    execFileSync('python3', ['-c', stop, place]);
    remount('ext4', place);
  };
  return { directory: join(place, 'data'), cutPower };
}

export const disks = { strict: strictDisk, ext4: ext4Disk };
