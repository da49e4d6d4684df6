import { defineConfig } from 'tsdown';

export default defineConfig({
  entry: {
    index: 'ts/index.ts',
    pikodb: 'ts/pikodb/index.ts',
    persistency: 'ts/persistency/index.ts',
    dskvs: 'ts/dskvs/index.ts',
    worsen: 'ts/worsen/index.ts',
  },
  format: ['esm', 'cjs'],
  platform: 'node',
  target: 'node20.9',
  dts: true,
  // Where the time of a build went is not what a user of `npm run demo` wants to read.
  inputOptions: { checks: { pluginTimings: false } },
  // The loader stays a file of its own beside dist/, where it finds the addon.
  deps: { neverBundle: ['../native.cjs'] },
});
