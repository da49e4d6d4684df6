import { existsSync, rmSync } from 'node:fs';
import { delimiter } from 'node:path';
import { cache, mustRun, run } from './run.mjs';

/*
 * Zig links against any version of glibc, so a binary that is built on a new system runs on an old one.
 * The Python package index carries it, and cargo-zigbuild, as plain wheels.
 */
const wheels = ['ziglang==0.17.0', 'cargo-zigbuild==0.24.0'];
const folder = `${cache}zig-0.17.0`;

/** The oldest glibc that the published Linux binaries run on (CentOS 7, Debian 8, Ubuntu 14.04 and all later). */
export const glibcFloor = '2.17';

/**
 * Is the addon linked for an old glibc in tests, as it is when it is published? Where Zig can be had, and always in CI,
 * where a machine without it must not go unnoticed.
 */
export async function testsPortable() {
  const glibc = process.platform === 'linux' && process.report.getReport().header.glibcVersionRuntime !== undefined;
  if (!glibc || !['arm64', 'x64'].includes(process.arch)) return false;
  return Boolean(process.env.CI) || existsSync(folder) || (await run('python3', ['-m', 'pip', '--version'])).code === 0;
}

/** Installs Zig on first use and returns the environment in which `cargo zigbuild` finds it. */
export async function zigEnvironment() {
  if (!existsSync(folder)) {
    const pip = ['-m', 'pip', 'install', '--disable-pip-version-check', '--quiet', '--no-deps', '--target', folder];
    try {
      await mustRun('python3', [...pip, ...wheels]);
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }
  return {
    ...process.env,
    PATH: [`${folder}/bin`, `${folder}/ziglang`, process.env.PATH].join(delimiter),
    ZIG_GLOBAL_CACHE_DIR: `${cache}zig-cache`,
  };
}
