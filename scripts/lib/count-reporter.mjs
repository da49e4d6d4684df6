// A reporter for `node --test`: one line of JSON for each test file, with what passed and what did not.
//
// A test that needs what not every machine has (a file system of its own, say) skips itself with a reason that begins
// with `not on this machine: `. Those are listed with their reasons; any other skipped test is a mistake.

import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { root } from './run.mjs';

function suiteName({ file, name }) {
  // Early releases of Node 20 give a URL; of a file that cannot be run at all only the test's name tells.
  const path = file?.startsWith('file:') ? fileURLToPath(file) : (file ?? name);
  return relative(root, path).replaceAll('\\', '/');
}

const UNAVAILABLE = 'not on this machine: ';

export default async function* countReporter(events) {
  const suites = new Map();
  for await (const { type, data } of events) {
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    const passed = type === 'test:pass';
    // A `describe` block is no test of its own, but one that fails by a hook must be seen.
    if (data.details?.type === 'suite' && (passed || data.details.error?.failureType === 'subtestsFailed')) continue;
    const name = suiteName(data);
    if (!suites.has(name)) suites.set(name, { name, passed: 0, failed: 0, skipped: 0, unavailable: [] });
    // Node passes a file without any test as one test, named after the file.
    if (passed && name === suiteName({ name: data.name })) continue;
    const suite = suites.get(name);
    if (String(data.skip).startsWith(UNAVAILABLE)) {
      suite.unavailable.push(`${data.name} (${data.skip.slice(UNAVAILABLE.length)})`);
    } else if (data.skip !== undefined || data.todo !== undefined) suite.skipped++;
    else if (passed) suite.passed++;
    else suite.failed++;
  }
  for (const suite of suites.values()) yield `${JSON.stringify(suite)}\n`;
}
