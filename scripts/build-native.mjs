#!/usr/bin/env node
// Builds the addon, optimised, and puts it into the root, where native.cjs finds it.
//   node scripts/build-native.mjs                    for this machine, with its own linker
//   node scripts/build-native.mjs --portable         for this machine's platform from glibc 2.17 on (Linux)
//   node scripts/build-native.mjs --target <triple>  for another platform; Linux targets are linked by Zig

import { copyFileSync, renameSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { platformOf } from './lib/platform.mjs';
import { mustRun, root } from './lib/run.mjs';
import { glibcFloor, zigEnvironment } from './lib/zig.mjs';

const { values } = parseArgs({ options: { portable: { type: 'boolean' }, target: { type: 'string' } } });

const host = /^host: (.+)$/m.exec(await mustRun('rustc', ['--version', '--verbose']))[1];
const target = values.portable ? `${host}.${glibcFloor}` : values.target;
const zig = target?.includes('-linux-') ?? false;

const args = [zig ? 'zigbuild' : 'build', '--release', '--package', 'cairndb-node'];
if (target !== undefined) args.push('--target', target);
const report = await mustRun('cargo', [...args, '--message-format', 'json-render-diagnostics'], {
  env: zig ? await zigEnvironment() : process.env,
  show: 'stderr',
});

const library = report
  .split('\n')
  .filter((line) => line.startsWith('{'))
  .map((line) => JSON.parse(line))
  .filter(({ reason, target }) => reason === 'compiler-artifact' && target.kind.includes('cdylib'))
  .flatMap(({ filenames }) => filenames)
  .find((name) => /\.(so|dylib|dll)$/.test(name));

const addon = `cairndb.${platformOf(target ?? host)}.node`;
// Not copied in place: writing into a file that a running process has mapped would crash it.
copyFileSync(library, `${root}${addon}.new`);
renameSync(`${root}${addon}.new`, `${root}${addon}`);
console.log(`built ${addon}`);
