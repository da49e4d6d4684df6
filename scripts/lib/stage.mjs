// Lays out what is published, one folder per package, from what was built.

import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cache, root } from './run.mjs';

const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));

/** The manifest of the root package, as it stands in the repository. */
export const manifest = readJson(`${root}package.json`);

/** The platforms that CairnDB is published for, as their packages are named: `linux-x64-gnu`, … */
export const platforms = readdirSync(`${root}npm`).sort();

export const platformManifest = (platform) => readJson(`${root}npm/${platform}/package.json`);

function emptyFolder(parent, name) {
  const folder = `${parent}/${name}`;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  return folder;
}

function copy(names, from, to) {
  for (const name of names) {
    if (!existsSync(`${from}${name}`)) throw new Error(`${name} is missing in ${from}: build it first`);
    cpSync(`${from}${name}`, `${to}/${name}`, { recursive: true });
  }
}

/**
 * The root package. Its platform packages become optional dependencies only here: with them in the repository's own
 * package.json, `npm ci` would fail in a checkout of a version that is not published yet. That is also why the
 * repository's own is private: published by hand it would lack them.
 */
export function stageRoot(parent = `${cache}stage`) {
  const folder = emptyFolder(parent, 'cairndb');
  copy([...manifest.files, 'README.md', 'LICENSE'], root, folder);
  const { private: _, scripts, devDependencies, overrides, ...published } = manifest;
  published.optionalDependencies = Object.fromEntries(
    platforms.map((platform) => [platformManifest(platform).name, manifest.version]),
  );
  writeFileSync(`${folder}/package.json`, `${JSON.stringify(published, null, 2)}\n`);
  return folder;
}

/** The package of one platform, with the addon that was built for it. */
export function stagePlatform(platform, parent = `${cache}stage`) {
  const folder = emptyFolder(parent, platform);
  copy(['package.json', 'README.md'], `${root}npm/${platform}/`, folder);
  copy([platformManifest(platform).main, 'LICENSE'], root, folder);
  return folder;
}
