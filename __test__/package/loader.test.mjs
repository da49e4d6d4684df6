// The loader takes the addon that fits the process, and says what to do where there is none.

import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { root } from '../../scripts/lib/run.mjs';
import { platforms } from '../../scripts/lib/stage.mjs';

const originals = ['platform', 'arch', 'execPath'].map((name) => [
  name,
  Object.getOwnPropertyDescriptor(process, name),
]);

let folder;
let require;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cairndb-loader-'));
  copyFileSync(join(root, 'native.cjs'), join(folder, 'native.cjs'));
  require = createRequire(join(folder, 'native.cjs'));
});

afterEach(() => {
  for (const [name, descriptor] of originals) Object.defineProperty(process, name, descriptor);
  rmSync(folder, { recursive: true });
});

/** Makes the process look like one on that platform, as far as the loader can see. */
function pretend(name) {
  const [platform, arch, abi] = name.split('-');
  const executable = join(folder, 'executable');
  const loader = abi === 'musl' ? '/lib/ld-musl-x86_64.so.1' : '/lib64/ld-linux-x86-64.so.2';
  writeFileSync(executable, Buffer.concat([Buffer.from('\x7fELF'), Buffer.alloc(788), Buffer.from(`${loader}\0`)]));
  for (const [key, value] of Object.entries({ platform, arch, execPath: executable })) {
    Object.defineProperty(process, key, { value, configurable: true });
  }
}

function install(platform) {
  const home = join(folder, 'node_modules', '@cairndb', platform);
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, 'index.js'), `module.exports = { name: '${platform}' };`);
}

describe('loader', () => {
  for (const platform of platforms) {
    it(`takes the package for ${platform}`, () => {
      for (const each of platforms) install(each);
      pretend(platform);
      assert.deepEqual(require('./native.cjs'), { name: platform });
    });
  }

  it('takes glibc for granted where it cannot read the executable', () => {
    install('linux-x64-gnu');
    pretend('linux-x64-musl');
    rmSync(join(folder, 'executable'));
    assert.deepEqual(require('./native.cjs'), { name: 'linux-x64-gnu' });
  });

  it('says which platform it is on, what it tried and how to build', () => {
    pretend('linux-arm64-musl');
    assert.throws(
      () => require('./native.cjs'),
      (error) => {
        assert.equal(error.code, 'ERR_CAIRN_ADDON');
        assert.match(error.message, /platform: linux, architecture: arm64, C library: musl/);
        assert.match(error.message, /\.\/cairndb\.linux-arm64-musl\.node: Cannot find module/);
        assert.match(error.message, /@cairndb\/linux-arm64-musl: Cannot find module/);
        assert.match(error.message, /--omit=optional/);
        assert.match(error.message, /rustup\.rs[\s\S]*npm run build/);
        assert.match(String(error.cause), /Cannot find module/);
        return true;
      },
    );
  });

  it('says so on a platform without a package', () => {
    pretend('freebsd-x64');
    assert.throws(() => require('./native.cjs'), /platform: freebsd[\s\S]*no prebuilt package for this platform/);
  });

  it('repeats why an addon that is there cannot be loaded', () => {
    pretend('linux-x64-gnu');
    writeFileSync(join(folder, 'cairndb.linux-x64-gnu.node'), 'not a library');
    assert.throws(
      () => require('./native.cjs'),
      /cairndb\.linux-x64-gnu\.node: .*(invalid ELF header|file too short|not a)/,
    );
  });
});
