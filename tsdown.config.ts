import { readFileSync } from 'node:fs';
import { defineConfig } from 'tsdown';

const { version } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'));

const entry = {
  index: 'ts/index.ts',
  pikodb: 'ts/pikodb/index.ts',
  persistency: 'ts/persistency/index.ts',
  dskvs: 'ts/dskvs/index.ts',
  worsen: 'ts/worsen/index.ts',
};

export default defineConfig({
  entry,
  // The command line is for Node.js alone, which loads ES modules.
  format: { esm: { entry: { ...entry, cairn: 'ts/cli/cairn.ts' } }, cjs: {} },
  platform: 'node',
  target: 'node20.9',
  dts: { entry: Object.values(entry) },
  define: { CAIRN_VERSION: JSON.stringify(version) },
  // What every command needs is one file: each further one takes a start of `cairn` a millisecond or more.
  outputOptions: { codeSplitting: { groups: [{ name: 'cli', test: /ts\/cli\/(?:specs\/)?(?!cairn\.ts)\w+\.ts$/ }] } },
  // Where the time of a build went is not what a user of `npm run demo` wants to read.
  inputOptions: { checks: { pluginTimings: false } },
  // The loader stays a file of its own beside dist/, where it finds the addon.
  deps: { neverBundle: ['../native.cjs', '../../native.cjs'] },
});
