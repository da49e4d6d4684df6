'use strict';

/*
 * Loads the addon: in a checkout the file that `npm run build` put beside this one, else the package of this platform.
 */

const { closeSync, openSync, readSync } = require('node:fs');

/** The C library of this process. A binary for the other one may load all the same, and crash later. */
function libc() {
  const head = Buffer.alloc(4096);
  try {
    const file = openSync(process.execPath, 'r');
    readSync(file, head, 0, head.length, 0);
    closeSync(file);
  } catch {
    // A sandbox may hide the executable; glibc is the likelier guess, and a failed load says what was guessed.
  }
  // An ELF file names its dynamic loader right behind the program headers.
  return head.includes('/ld-musl-') ? 'musl' : 'gnu';
}

function platformName() {
  const { platform, arch } = process;
  if (platform === 'linux') return `linux-${arch}-${libc()}`;
  return platform === 'win32' ? `win32-${arch}-msvc` : `${platform}-${arch}`;
}

function firstLine(error) {
  return String(error?.message ?? error).split('\n', 1)[0];
}

function failure(name, tried) {
  const [platform, arch, abi = 'none'] = name.split('-');
  const runtime = `${globalThis.Bun ? 'Bun' : globalThis.Deno ? 'Deno' : 'Node.js'} ${process.version}`;
  const error = new Error(`CairnDB found no native addon for this platform.
  platform: ${platform}, architecture: ${arch}, C library: ${abi}, runtime: ${runtime}
Tried:
${tried.map(({ what, error }) => `  ${what}: ${firstLine(error)}`).join('\n')}
What to do:
  - Install with optional dependencies (no --omit=optional, no --no-optional), on this platform: a node_modules folder
    or a lockfile that was made on another one can lack @cairndb/${name}. Remove both and install again.
  - Or build from source, with Rust from https://rustup.rs:
      git clone https://github.com/cairndb/cairndb && cd cairndb && npm ci && npm run build
    and then, in your project: npm install <path of that folder>`);
  error.code = 'ERR_CAIRN_ADDON';
  error.cause = tried.at(-1).error;
  return error;
}

function load() {
  const name = platformName();
  const local = `./cairndb.${name}.node`;
  const tried = [];
  try {
    return require(local);
  } catch (error) {
    tried.push({ what: local, error });
  }
  try {
    // Literal names inside a `try`: a bundler finds the package that is installed and passes over the others.
    switch (name) {
      case 'linux-x64-gnu':
        return require('@cairndb/linux-x64-gnu');
      case 'linux-x64-musl':
        return require('@cairndb/linux-x64-musl');
      case 'linux-arm64-gnu':
        return require('@cairndb/linux-arm64-gnu');
      case 'linux-arm64-musl':
        return require('@cairndb/linux-arm64-musl');
      case 'darwin-x64':
        return require('@cairndb/darwin-x64');
      case 'darwin-arm64':
        return require('@cairndb/darwin-arm64');
      case 'win32-x64-msvc':
        return require('@cairndb/win32-x64-msvc');
      case 'win32-arm64-msvc':
        return require('@cairndb/win32-arm64-msvc');
      default:
        throw new Error('there is no prebuilt package for this platform');
    }
  } catch (error) {
    tried.push({ what: `@cairndb/${name}`, error });
  }
  throw failure(name, tried);
}

module.exports = load();
