// What a user gets: the packed tarballs, installed in an empty folder, without Rust and without a registry.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { mustRun, root, run } from '../../scripts/lib/run.mjs';
import { platforms, stagePlatform, stageRoot } from '../../scripts/lib/stage.mjs';

const npm = process.env.npm_execpath ?? realpathSync(join(dirname(process.execPath), 'npm'));
const platform = platforms.find((name) => readdirSync(root).includes(`cairndb.${name}.node`));

let folder;
let env;
let tarballs;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cairndb-install-'));
  const path = join(folder, 'bin');
  mkdirSync(path);
  symlinkSync(process.execPath, join(path, 'node'));
  env = { PATH: path, HOME: folder, npm_config_cache: join(folder, 'cache') };
  tarballs = {
    root: await pack(stageRoot(join(folder, 'stage'))),
    platform: await pack(stagePlatform(platform, join(folder, 'stage'))),
  };
});

after(() => rmSync(folder, { recursive: true, force: true }));

async function pack(package_) {
  const listed = await mustRun(process.execPath, [npm, 'pack', '--json', '--pack-destination', folder], {
    cwd: package_,
    env,
  });
  const answer = JSON.parse(listed);
  const [{ filename, files }] = Array.isArray(answer) ? answer : Object.values(answer);
  return { file: join(folder, filename), contents: files.map(({ path }) => path).sort() };
}

async function install(name, ...packages) {
  const project = join(folder, name);
  mkdirSync(project);
  writeFileSync(join(project, 'package.json'), '{ "private": true }');
  await mustRun(process.execPath, [npm, 'install', '--offline', ...packages.map(({ file }) => file)], {
    cwd: project,
    env,
  });
  return project;
}

async function execute(project, name, source) {
  writeFileSync(join(project, name), source);
  return run(process.execPath, [name], { cwd: project, env });
}

/** The quick start of the README, which is written for ESM, and what it says that it prints, in lines with `//>`. */
function quickStart() {
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  const [, source] = /^#+ quick start\n[\s\S]*?^```(?:js|javascript|mjs)\n([\s\S]*?)^```/im.exec(readme) ?? [];
  assert.ok(source, 'README.md has a section "Quick start" with a block of JavaScript');
  const printed = [...source.matchAll(/^\/\/> (.*\n)/gm)].map(([, line]) => line).join('');
  assert.notEqual(printed, '');
  return { source, printed };
}

function asCommonJs(source) {
  const [imports, rest] = [[], []];
  for (const line of source.split('\n')) (/^import /.test(line) ? imports : rest).push(line);
  const requires = imports.map((line) => line.replace(/^import (.+) from (.+);$/, 'const $1 = require($2);'));
  return `${requires.join('\n')}\n(async () => {\n${rest.join('\n')}\n})();\n`;
}

describe('tarballs', () => {
  it('hold what is needed and no more', () => {
    const entries = ['index', 'pikodb', 'persistency', 'worsen', 'dskvs'];
    const files = entries.flatMap((entry) => ['cjs', 'mjs', 'd.cts', 'd.mts'].map((end) => `dist/${entry}.${end}`));
    const others = [
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'dist/cairn.mjs',
      'man/cairn.1',
      'native.cjs',
      'package.json',
    ];
    // What the entries share has a digest in its name, and some file needs it.
    const isShared = (path) => /^dist\/[\w-]+-[\w-]{8}(\.d)?\.[cm][jt]s$/.test(path);
    const contents = tarballs.root.contents.filter((path) => !isShared(path));
    assert.deepEqual(contents, [...files, ...others].sort());
    const sources = tarballs.root.contents.filter((path) => path.startsWith('dist/'));
    const text = sources.map((path) => readFileSync(join(root, path), 'utf8')).join('');
    for (const path of tarballs.root.contents.filter(isShared)) {
      const [name] = /[\w-]+(?=(\.d)?\.[cm][jt]s$)/.exec(path);
      assert.match(text, new RegExp(`\\./${name}\\.`), `${path} is needed`);
    }
    assert.deepEqual(tarballs.platform.contents, ['LICENSE', 'README.md', `cairndb.${platform}.node`, 'package.json']);
  });
});

describe('installed with the package of the platform', () => {
  let project;

  before(async () => {
    project = await install('both', tarballs.platform, tarballs.root);
  });

  it('has no Rust at hand', () => {
    for (const command of ['cargo', 'rustc']) {
      assert.equal(spawnSync(command, ['--version'], { env }).error?.code, 'ENOENT', `${command} is not on the path`);
    }
  });

  it('runs the quick start from ESM', async () => {
    const { source, printed } = quickStart();
    const { code, output } = await execute(project, 'quick-start.mjs', source);
    assert.equal(output, printed);
    assert.equal(code, 0);
  });

  it('runs the quick start from CommonJS', async () => {
    const { source, printed } = quickStart();
    const { code, output } = await execute(project, 'quick-start.cjs', asCommonJs(source));
    assert.equal(output, printed);
    assert.equal(code, 0);
  });

  it('has the command line', async () => {
    const program = join(project, 'node_modules', '.bin', 'cairn');
    const cairn = async (...args) => {
      const { code, output } = await run(program, args, { cwd: project, env });
      return { code, output };
    };
    assert.deepEqual(await cairn('./line', 'set', 'users', 'alice', '{"name":"Alice"}'), {
      code: 0,
      output: 'written\n',
    });
    assert.deepEqual(await cairn('./line', 'get', 'users', 'alice'), { code: 0, output: "{ name: 'Alice' }\n" });
    assert.equal((await cairn('./line', 'get', 'users', 'bob')).code, 1);
  });

  it('shares one database between its ESM and its CommonJS form, and keeps it', async () => {
    const source = `
      import { createRequire } from 'node:module';
      import { CairnDB } from 'cairndb';
      const common = createRequire(import.meta.url)('cairndb');
      if (common.CairnDB === CairnDB) throw new Error('this test wants two copies of the JavaScript');
      const one = await CairnDB.open('shared');
      const other = await common.CairnDB.open('shared');
      await one.write('table', 'key', { from: 'ESM' });
      console.log(JSON.stringify(await other.get('table', 'key')));
      await one.close();
      await other.close();
      const again = await common.CairnDB.open('shared');
      console.log(JSON.stringify(await again.get('table', 'key')));
      await again.close();
    `;
    const { code, output } = await execute(project, 'shared.mjs', source);
    assert.equal(output, '{"from":"ESM"}\n{"from":"ESM"}\n');
    assert.equal(code, 0);
  });

  it('gives types to ESM and to CommonJS', async () => {
    const use = `
      const options: DatabaseOptions = { databaseDirectory: 'd' };
      export const done: Promise<boolean> = new CairnDB(options).write('table', 'key', { a: 1 });
    `;
    writeFileSync(join(project, 'types.mts'), `import { CairnDB, type DatabaseOptions } from 'cairndb';${use}`);
    writeFileSync(join(project, 'types.cts'), `import { CairnDB, type DatabaseOptions } from 'cairndb';${use}`);
    const compilerOptions = {
      module: 'node16',
      target: 'es2022',
      lib: ['es2023', 'esnext.disposable'],
      strict: true,
      noEmit: true,
      types: ['node'],
      typeRoots: [join(root, 'node_modules/@types')],
    };
    writeFileSync(
      join(project, 'tsconfig.json'),
      JSON.stringify({ compilerOptions, files: ['types.mts', 'types.cts'] }),
    );
    const { code, output } = await run(process.execPath, [
      join(root, 'node_modules/typescript/bin/tsc'),
      '-p',
      project,
    ]);
    assert.equal(code, 0, output);
  });
});

describe('installed without the package of the platform', () => {
  let project;

  before(async () => {
    project = await install('root-only', tarballs.root);
  });

  for (const [name, source] of [
    ['ESM', "import 'cairndb';"],
    ['CommonJS', "require('cairndb');"],
  ]) {
    it(`says from ${name} what is missing and what to do`, async () => {
      const { code, output } = await execute(project, name === 'ESM' ? 'index.mjs' : 'index.cjs', source);
      assert.notEqual(code, 0);
      assert.match(output, /ERR_CAIRN_ADDON/);
      assert.match(output, new RegExp(`platform: ${process.platform}, architecture: ${process.arch}, C library: `));
      assert.match(output, new RegExp(`@cairndb/${platform}: Cannot find module`));
      assert.match(output, /npm run build/);
    });
  }
});
