import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { cargoSuites } from './cargo-report.mjs';
import { cache, root, run } from './run.mjs';
import { stageRoot } from './stage.mjs';
import { testsPortable } from './zig.mjs';

const check = (command, ...args) => run(command, args, { show: true }).then(({ code }) => ({ code }));
const script = (path, ...args) => check(process.execPath, `${root}${path}`, ...args);

async function cargoTest() {
  // One pipe for both streams keeps each result behind the name of the binary that it belongs to.
  const command = 'cargo test --workspace --features cairndb/prost --no-fail-fast --color never 2>&1';
  const { code, output } = await run(command, [], { show: true, shell: true });
  return { code, suites: cargoSuites(output) };
}

async function nodeTest(...folders) {
  const counts = `${cache}node-tests.jsonl`;
  mkdirSync(cache, { recursive: true });
  rmSync(counts, { force: true });
  const files = folders.flatMap((folder) =>
    readdirSync(`${root}${folder}`)
      .filter((name) => name.endsWith('.test.mjs'))
      .map((name) => `${folder}/${name}`),
  );
  const { code } = await check(
    process.execPath,
    // By default Node leaves one processor idle, which on two is half of the machine.
    ...[
      '--test',
      `--test-concurrency=${availableParallelism()}`,
      '--test-reporter=spec',
      '--test-reporter-destination=stdout',
    ],
    ...['--test-reporter=./scripts/lib/count-reporter.mjs', `--test-reporter-destination=${counts}`],
    ...files,
  );
  const lines = existsSync(counts) ? readFileSync(counts, 'utf8').split('\n').filter(Boolean) : [];
  return { code, suites: lines.map((line) => JSON.parse(line)) };
}

/**
 * The steps of `npm test`, in their order. `needs` names a step without which one tells nothing.
 */
export async function listSteps() {
  const portable = await testsPortable();
  const build = { needs: ['build addon', 'build facade'] };
  const steps = [
    { name: 'rustfmt', group: 'rust', run: () => check('cargo', 'fmt', '--all', '--check') },
    {
      name: 'lint JavaScript',
      group: 'js',
      run: () => script('node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings'),
    },
    {
      name: 'clippy',
      group: 'rust',
      run: () =>
        check('cargo', 'clippy', '--workspace', '--features', 'cairndb/prost', '--all-targets', '--', '-D', 'warnings'),
    },
    { name: 'build facade', group: 'js package', run: () => script('node_modules/tsdown/dist/run.mjs') },
    { name: 'check types', group: 'js', needs: ['build facade'], run: () => script('node_modules/typescript/bin/tsc') },
    { name: 'cargo tests', group: 'rust', run: cargoTest },
    {
      name: 'build addon',
      group: 'js package',
      run: () => script('scripts/build-native.mjs', ...(portable ? ['--portable'] : [])),
    },
    portable && {
      name: 'check glibc',
      group: 'package',
      needs: ['build addon'],
      run: () => script('scripts/check-glibc.mjs'),
    },
    {
      name: 'JavaScript tests',
      group: 'js',
      ...build,
      run: () => nodeTest('__test__', '__test__/cli', '__test__/moving'),
    },
    {
      name: 'publint',
      group: 'package',
      ...build,
      run: () => script('node_modules/publint/src/cli.js', stageRoot(), '--strict'),
    },
    {
      name: 'are the types wrong',
      group: 'package',
      ...build,
      run: () =>
        script('node_modules/@arethetypeswrong/cli/dist/index.js', '--pack', stageRoot(), '--profile', 'node16'),
    },
    { name: 'package tests', group: 'package', ...build, run: () => nodeTest('__test__/package') },
  ].filter(Boolean);
  const unlisted = portable ? [] : ['check glibc (it needs Linux with glibc, and python3 with pip)'];
  return { steps, unlisted };
}
