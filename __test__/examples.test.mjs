// What README.md, docs/ and examples/ show is run, and prints what they say.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { CairnDB } from 'cairndb';
import { ended, newDirectory, onEnd, scriptArgs } from './helpers.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (name) => readFileSync(`${root}${name}`, 'utf8');
const readme = read('README.md');

/** Languages of code blocks that are no programs of JavaScript. Whatever else a block is in, this test has to run it. */
const NOT_RUN = ['sh', 'rust', 'rust,no_run', 'text', 'mermaid'];

/** The JavaScript code blocks of a page, in files of their own, where `cairndb` is this package. */
function blocksOf(page) {
  const folder = `${root}.cache/examples/`;
  mkdirSync(folder, { recursive: true });
  const blocks = [...read(page).matchAll(/^```(\S*)\n([\s\S]*?)^```$/gm)];
  return blocks.flatMap(([, language, source], index) => {
    if (NOT_RUN.includes(language)) return [];
    assert.equal(language, 'js', `${page}, block ${index + 1}`);
    const path = `${folder}${page.replace(/\W/g, '-')}-${index + 1}.mjs`;
    writeFileSync(path, source);
    return [{ name: `${page}, block ${index + 1}`, path, source }];
  });
}

const pages = ['README.md', ...readdirSync(`${root}docs`).map((name) => `docs/${name}`)];
const files = readdirSync(`${root}examples`).filter((name) => /\.[cm]js$/.test(name));
const programs = [
  ...pages.filter((name) => name.endsWith('.md')).flatMap(blocksOf),
  ...files.map((name) => ({
    name: `examples/${name}`,
    path: `${root}examples/${name}`,
    source: read(`examples/${name}`),
  })),
];

/** Runtimes print objects with other quotes, line breaks and commas. */
function normalize(output) {
  return output
    .replaceAll('"', "'")
    .replaceAll(/\s/g, '')
    .replaceAll('=>', ':')
    .replaceAll(/,(?=[}\]])/g, '');
}

for (const { name, path, source } of programs) {
  test(`${name} prints what it says`, async (t) => {
    const directory = dirname(newDirectory(t));
    const child = spawn(process.execPath, scriptArgs(path), { cwd: directory, env: { ...process.env, NO_COLOR: '1' } });
    onEnd(t, () => child.kill('SIGKILL'));
    const { code, stdout, stderr } = await ended(child);
    assert.equal(code, 0, stderr);
    assert.equal(stderr, '');
    const expected = [...source.matchAll(/^\s*\/\/> (.*)$/gm)].map(([, line]) => line);
    assert.equal(normalize(stdout), normalize(expected.join('\n')), stdout);
  });
}

test('there are programs, and they say what they print', () => {
  assert.ok(files.length >= 6);
  const silent = programs.filter(({ source }) => !source.includes('//> '));
  assert.ok(programs.length - silent.length >= files.length + 6, silent.map(({ name }) => name).join());
});

test('README.md names every method', () => {
  const prototypes = [CairnDB.prototype, Object.getPrototypeOf(CairnDB.prototype)];
  const methods = prototypes.flatMap(Object.getOwnPropertyNames).filter((name) => name !== 'constructor');
  for (const method of [...methods, 'CairnDB.open', '[Symbol.asyncDispose]']) {
    assert.match(
      readme,
      new RegExp(`^\\|.*\`${RegExp.escape?.(method) ?? method.replaceAll(/[[\].]/g, '\\$&')}[(\`]`, 'm'),
      method,
    );
  }
});

test('README.md has every error code, and no other', () => {
  const codes = (text, pattern) => [...text.matchAll(pattern)].map(([, code]) => code).sort();
  const known = codes(read('ts/errors.ts'), /^ {2}\| '(ERR_CAIRN_\w+)'/gm);
  assert.ok(known.length > 20);
  assert.deepEqual(codes(readme, /^\| `(ERR_CAIRN_\w+)` \|/gm), known);
});

test('README.md has every option, with its default', () => {
  const source = read('ts/options.ts');
  const [, members] = /interface DatabaseOptions \{\n([\s\S]*?)\n\}/.exec(source);
  const names = [...members.matchAll(/^ {2}readonly (\w+)/gm)].map(([, name]) => name);
  const [, section] = /^## Options\n([\s\S]*?)^## /m.exec(readme);
  const rows = [...section.matchAll(/^\| `(\w+)` \|[^|]*\|([^|]*)\|[^|]*\|$/gm)];
  assert.deepEqual(rows.map(([, name]) => name).sort(), names.sort());
  const defaults = [...source.matchAll(/(?:number|integer|boolean)\(options, '(\w+)', ([\w* ]+)/g)];
  assert.ok(defaults.length >= 7);
  for (const [, name, expression] of defaults) {
    const product = expression.split('*').map((factor) => factor.trim().replaceAll('_', ''));
    const value = product.length > 1 ? product.reduce((a, b) => a * b, 1) : product[0];
    const [, , said] = rows.find((row) => row[1] === name);
    assert.equal(said.replaceAll('`', '').trim(), String(value), name);
  }
});
