// What an export and an import take, in time and memory: node bench/moving.mjs [records]
//
// Each command runs in a process of its own, whose largest resident memory counts.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CairnDB } from 'cairndb';

const SELF = fileURLToPath(import.meta.url);
const MEASURED = 'measured';
const AT_ONCE = 1000;

if (process.argv[2] === MEASURED) {
  process.on('exit', () => {
    const { maxRSS } = process.resourceUsage();
    process.send({ maxRSS });
  });
  process.argv.splice(2, 1);
  await import('../dist/cairn.mjs');
} else await main(Number(process.argv[2] ?? 1_000_000));

async function main(records) {
  const folder = mkdtempSync(join(tmpdir(), 'cairndb-moving-'));
  const path = (name) => join(folder, name);
  try {
    await fill(path('source'), records);
    const lines = ['| command | seconds | most memory (MB) | file (MB) |', '| --- | --- | --- | --- |'];
    for (const format of ['jsonl', 'csv']) {
      const file = path(`all.${format}`);
      const table = format === 'csv' ? ['--table', 'people'] : [];
      lines.push(row(`export ${format}`, measured(path('source'), 'export', '--output', file, ...table), file));
      lines.push(row(`import ${format}`, measured(path(format), 'import', file, ...table), file));
      const db = await CairnDB.open(path(format));
      assert.equal(await db.getTableSize('people'), records);
      await db.close();
    }
    console.log(lines.join('\n'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function fill(directory, records) {
  const db = await CairnDB.open(directory);
  for (let first = 0; first < records; first += AT_ONCE) {
    const puts = Array.from({ length: Math.min(AT_ONCE, records - first) }, (_, index) => put(first + index));
    await db.batch(puts);
  }
  await db.close();
}

function put(number) {
  const value = { id: number, name: `Person number ${number}`, city: `City ${number % 997}`, active: number % 3 === 0 };
  return { type: 'put', table: 'people', key: `person-${String(number).padStart(9, '0')}`, value };
}

/** Runs a command; its time in seconds and its most memory in MB. */
function measured(...args) {
  const begin = performance.now();
  const code = `
    const { fork } = require('node:child_process');
    const child = fork(${JSON.stringify(SELF)}, ${JSON.stringify([MEASURED, ...args])}, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    child.on('message', ({ maxRSS }) => console.log(maxRSS));
    child.on('exit', (code) => { process.exitCode = code; });`;
  const { status, stdout } = spawnSync(process.execPath, ['-e', code], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  assert.equal(status, 0);
  return { seconds: (performance.now() - begin) / 1000, megabytes: (Number(stdout) * 1024) / 1e6 };
}

function row(name, { seconds, megabytes }, file) {
  return `| ${name} | ${seconds.toFixed(1)} | ${megabytes.toFixed(0)} | ${(statSync(file).size / 1e6).toFixed(0)} |`;
}
