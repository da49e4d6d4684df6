// What the disk gives to one writer that waits for each sync: blocks of 4 KB, one after the other, into a file that is
// already there with all its blocks, so that a sync has nothing but the data to write.

import { closeSync, fdatasyncSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const BLOCK = Buffer.alloc(4096, 1);
const BLOCKS = 16_384;

function preallocated(file) {
  const fd = openSync(file, 'w+');
  for (let block = 0; block < BLOCKS; block++) writeSync(fd, Buffer.alloc(BLOCK.length));
  fsyncSync(fd);
  return fd;
}

/** @type {import('./store.d.ts').Open} */
export async function open(directory) {
  const fd = preallocated(join(directory, 'blocks'));
  let next = 0;
  return {
    write() {
      writeSync(fd, BLOCK, 0, BLOCK.length, next * BLOCK.length);
      fdatasyncSync(fd);
      next = (next + 1) % BLOCKS;
    },
    flush: () => fdatasyncSync(fd),
    close: () => closeSync(fd),
  };
}
