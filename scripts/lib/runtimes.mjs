// The runtimes that the addon is tested on; each is a binary inside an npm package of its platform.

import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { cache, mustRun, root, run } from './run.mjs';
import { manifest } from './stage.mjs';

const { platform, arch } = process;
const os = platform === 'win32' ? 'windows' : platform;
const exe = platform === 'win32' ? '.exe' : '';

const node = (version) => ({
  name: 'Node.js',
  version,
  package: `node-${platform === 'win32' ? 'win' : platform}-${arch}`,
  binary: `bin/node${exe}`,
  args: ['--test', '--test-reporter=tap'],
  passed: /^# pass (\d+)$/m,
});

/** The oldest Node.js that is supported comes first: what `engines` says is what is tested. */
export const runtimes = [
  node(manifest.engines.node.replace('>=', '')),
  node('20.20.2'),
  node('22.23.3'),
  node('24.21.0'),
  node('26.10.0'),
  {
    name: 'Bun',
    version: '1.4.5',
    package: `@oven/bun-${os}-${arch === 'arm64' ? 'aarch64' : arch}`,
    binary: `bin/bun${exe}`,
    // By itself it ends a test after five seconds.
    args: ['test', '--timeout', '600000'],
    passed: /^\s*(\d+) pass$/m,
  },
  {
    name: 'Deno',
    version: '2.9.6',
    package: `@deno/${platform}-${arch}${platform === 'linux' ? '-glibc' : ''}`,
    binary: `deno${exe}`,
    args: ['test', '--allow-all', '--no-lock', '--quiet'],
    passed: /^ok \| (\d+) passed/m,
  },
];

/** Installs a runtime on first use and returns the path of its binary. */
export async function installRuntime({ package: name, version, binary }) {
  const folder = `${cache}runtimes/${name.replace('/', '-')}-${version}`;
  const path = `${folder}/node_modules/${name}/${binary}`;
  if (!existsSync(path)) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(`${folder}/package.json`, '{ "private": true }');
    await mustRun('npm', ['install', '--ignore-scripts', '--no-package-lock', `${name}@${version}`], {
      cwd: folder,
      shell: platform === 'win32',
    });
  }
  return path;
}

/**
 * Runs one test file, in a process of its own.
 *
 * @returns how many tests passed, and the output if any failed or none ran
 */
export async function testFile(runtime, binary, file) {
  const env = { ...process.env, NO_COLOR: '1', DENO_NO_UPDATE_CHECK: '1', DENO_DIR: `${cache}deno` };
  const { code, output } = await run(binary, [...runtime.args, `./${file}`], { cwd: root, env });
  const passed = Number(runtime.passed.exec(output)?.[1] ?? 0);
  return { passed, failure: code === 0 && passed > 0 ? undefined : output };
}
