// Programs of PikoDB, run with nothing but the import changed.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ended, newDirectory, onEnd, scriptArgs } from './helpers.mjs';

const folder = fileURLToPath(new URL('./fixtures/pikodb-examples/', import.meta.url));
// In the package's own tree, where `cairndb` is this package.
const cache = fileURLToPath(new URL('../.cache/examples/', import.meta.url));
const names = readdirSync(folder);

const asModule = (source) => source.replace("'pikodb'", "'cairndb/pikodb'");

function asCommonJs(source) {
  const [first, ...rest] = asModule(source).split('\n');
  const required = first.replace(/^import (.+) from (.+);$/, 'const $1 = require($2);');
  assert.notEqual(required, first);
  return `${required}\n(async () => {${rest.join('\n')}})();\n`;
}

/** Runtimes print objects with other quotes, line breaks and commas. */
function normalize(output) {
  return output
    .replaceAll('"', "'")
    .replaceAll(/\s/g, '')
    .replaceAll(/,(?=[}\]])/g, '');
}

for (const name of names) {
  for (const [kind, ending, convert] of [
    ['ES module', 'mjs', asModule],
    ['CommonJS', 'cjs', asCommonJs],
  ]) {
    test(`${name} prints what it says, from the ${kind}`, async (t) => {
      const source = readFileSync(join(folder, name), 'utf8');
      assert.match(source, /^import \{.*\} from 'pikodb';\n/);
      mkdirSync(cache, { recursive: true });
      const path = join(cache, `pikodb-${name.replace(/mjs$/, ending)}`);
      writeFileSync(path, convert(source));
      const directory = dirname(newDirectory(t));
      const env = { ...process.env, NO_COLOR: '1' };
      const child = spawn(process.execPath, scriptArgs(path), { cwd: directory, env });
      onEnd(t, () => child.kill('SIGKILL'));
      const { code, stdout, stderr } = await ended(child);
      assert.equal(code, 0, stderr);
      assert.equal(stderr, '');
      const expected = [...source.matchAll(/^\/\/> (.*)$/gm)].map(([, line]) => line);
      assert.equal(normalize(stdout), normalize(expected.join('\n')), stdout);
    });
  }
}
