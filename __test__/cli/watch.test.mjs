import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CairnDB } from 'cairndb';
import { ended, openAt } from '../helpers.mjs';
import { database, start, Terminal } from './helpers.mjs';

/** Writes one marker after the other until the watcher shows one: from then on it misses nothing. */
async function watching(db, child) {
  let seen = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    seen += text;
  });
  for (let number = 0; !seen.includes('marker'); number += 1) {
    await db.write('t', 'marker', number);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return async (pattern) => {
    while (!pattern.test(seen)) await new Promise((resolve) => child.stdout.once('data', resolve));
    return seen;
  };
}

test('cairn: watch shows what another process commits, as lines and as JSON', async (t) => {
  const directory = await database(t);
  const db = await openAt(t, directory);
  for (const json of [true, false]) {
    const child = start(t, [directory, 'watch', 't', ...(json ? ['--json'] : [])]);
    const end = ended(child);
    const until = await watching(db, child);
    await db.write('users', 'not this table', 1);
    await db.write('t', 'k', { at: new Date(0), 'a b': '\x1b[2J' });
    await db.delete('t', 'k');
    await db.write('t', 'last', 1);
    const text = await until(/last/);
    child.kill('SIGINT');
    const { code, stderr } = await end;
    assert.deepEqual({ code, stderr }, { code: 130, stderr: '' });
    assert.doesNotMatch(text, /not this table|\p{Cc}\[/u);
    if (!json) {
      assert.match(text, /^put t k \(version 1\) \{ at: 1970-01-01T00:00:00.000Z, 'a b': '\\x1B\[2J' \}\ndelete t k$/m);
      continue;
    }
    const changes = text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));
    const [put, del] = changes.filter(({ key }) => key === 'k');
    assert.deepEqual(put.value, { at: { $Date: '1970-01-01T00:00:00.000Z' }, 'a b': '\x1b[2J' });
    assert.deepEqual([put.type, put.version, del.type, del.table], ['put', 1, 'delete', 't']);
  }
});

test('cairn: watch on a terminal stays within its width', async (t) => {
  const directory = await database(t);
  const db = await CairnDB.open(directory);
  const terminal = new Terminal(t, [directory, 'watch'], { columns: 30 });
  while (!/marker/.test(terminal.text)) {
    await db.write('t', 'marker', 'x'.repeat(100));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await terminal.until(/^put t marker .*…\n/m);
  terminal.type('\x03');
  const { code, text } = await terminal.ended();
  await db.close();
  assert.equal(code, 130);
  for (const line of text.replace('^C', '').split('\n')) assert.ok(line.length <= 30, line);
});
