#!/usr/bin/env node
// Fails if an addon in the root needs a newer glibc than the oldest that is supported.

import { readdirSync, readFileSync } from 'node:fs';
import { root } from './lib/run.mjs';
import { glibcFloor } from './lib/zig.mjs';

const minor = (version) => Number(version.split('.')[1]);

const addons = readdirSync(root).filter((name) => /^cairndb\.linux-.*-gnu\.node$/.test(name));
if (addons.length === 0) throw new Error('no addon for glibc: build it first');
for (const name of addons) {
  // The version of each symbol that an ELF file needs stands in it by name.
  const needed = readFileSync(`${root}${name}`, 'latin1').match(/GLIBC_2\.\d+/g) ?? [];
  if (needed.length === 0) throw new Error(`${name} names no version of glibc at all: this check cannot judge it`);
  const newest = needed.reduce((a, b) => (minor(b) > minor(a) ? b : a));
  if (minor(newest) > minor(glibcFloor))
    throw new Error(`${name} needs ${newest}, but ${glibcFloor} is the oldest supported`);
  console.log(`${name}: ${newest} is the newest that it needs, ${glibcFloor} the oldest that is supported`);
}
