// The manifests of nine packages and of the crates agree with each other.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { platformOf } from '../../scripts/lib/platform.mjs';
import { mustRun, root } from '../../scripts/lib/run.mjs';
import { manifest, platformManifest, platforms, stageRoot } from '../../scripts/lib/stage.mjs';

const read = (path) => readFileSync(join(root, path), 'utf8');

describe('platform packages', () => {
  it('are those that a release builds the addon for', () => {
    const targets = [...read('.github/workflows/release.yml').matchAll(/\{ target: ([^,]+),/g)];
    assert.deepEqual(targets.map(([, triple]) => platformOf(triple)).sort(), platforms);
  });

  for (const platform of platforms) {
    it(`${platform} is installed where the root package is, and nowhere else`, () => {
      const [os, cpu, abi] = platform.split('-');
      const { description, repository, ...found } = platformManifest(platform);
      assert.deepEqual(found, {
        name: `@cairndb/${platform}`,
        version: manifest.version,
        license: manifest.license,
        main: `cairndb.${platform}.node`,
        files: [`cairndb.${platform}.node`],
        os: [os],
        cpu: [cpu],
        ...(os === 'linux' && { libc: [{ gnu: 'glibc', musl: 'musl' }[abi]] }),
        // npm passes over an optional package whose engines do not fit, without a word.
        engines: manifest.engines,
      });
      assert.deepEqual(repository, { ...manifest.repository, directory: `npm/${platform}` });
    });
  }
});

describe('root package', () => {
  let folder;
  let staged;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'cairndb-manifest-'));
    staged = JSON.parse(readFileSync(join(stageRoot(folder), 'package.json'), 'utf8'));
  });

  after(() => rmSync(folder, { recursive: true }));

  it('depends on every platform package, of exactly its own version, and on nothing else', () => {
    const expected = Object.fromEntries(platforms.map((platform) => [`@cairndb/${platform}`, manifest.version]));
    assert.deepEqual(staged.optionalDependencies, expected);
    assert.equal(staged.dependencies, undefined);
    assert.equal(staged.peerDependencies, undefined);
  });

  it('is published from its staged form only', () => {
    assert.equal(manifest.private, true);
    assert.equal(staged.private, undefined);
  });

  it('runs nothing when it is installed', () => {
    assert.equal(staged.scripts, undefined);
    const hooks = ['preinstall', 'install', 'postinstall', 'prepare', 'prepublishOnly'];
    assert.deepEqual(
      hooks.filter((hook) => hook in manifest.scripts),
      [],
    );
  });

  it('has the version of its crates', () => {
    for (const path of ['Cargo.toml', 'crates/cairndb/Cargo.toml']) {
      assert.equal(/^version = "(.+)"$/m.exec(read(path))?.[1], manifest.version, path);
    }
  });
});

describe('dependencies', () => {
  it('are locked for every platform', () => {
    const { packages } = JSON.parse(read('package-lock.json'));
    const locked = new Set(Object.keys(packages).map((path) => path.split('node_modules/').at(-1)));
    const optional = Object.values(packages).flatMap((each) => Object.keys(each.optionalDependencies ?? {}));
    assert.ok(optional.length > 0);
    // npm 11 refuses `npm ci` if one is missing, even one for another platform.
    assert.deepEqual(
      optional.filter((name) => !locked.has(name)),
      [],
    );
  });

  it('are locked by digest, from whichever registry', () => {
    const { packages } = JSON.parse(read('package-lock.json'));
    for (const [path, { integrity, resolved }] of Object.entries(packages)) {
      if (path === '') continue;
      assert.match(integrity ?? '', /^sha512-/, path);
      assert.equal(resolved, undefined, `${path} names a registry's host`);
    }
  });

  it('have a licence that deny.toml allows', async () => {
    const allowed = new Set(/^allow = \[([^\]]*)\]/m.exec(read('deny.toml'))[1].match(/[\w.-]+/g));
    const metadata = await mustRun('cargo', ['metadata', '--format-version', '1', '--locked', '--quiet']);
    const crates = JSON.parse(metadata).packages;
    assert.ok(crates.length > 20, 'cargo lists the dependencies');
    for (const { name, license, source } of crates) {
      if (source === null) continue;
      assert.match(source, /^registry\+https:\/\/github\.com\/rust-lang\/crates\.io-index$/, name);
      // Enough for the forms that occur: every part of a conjunction has an alternative that is allowed.
      const parts = (license ?? '').replaceAll(/[()]/g, '').split(' AND ');
      const fine = parts.every((part) => part.split(/ OR |\//).some((each) => allowed.has(each.trim())));
      assert.ok(fine, `${name}: ${license}`);
    }
  });
});
