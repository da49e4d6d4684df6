// What a store in JavaScript can hope for: a Map of the objects themselves, and a file of one line for each write, which
// is written once per turn. It checks nothing, never gets rid of what was overwritten, and holds everything in memory.

import { appendFileSync, closeSync, existsSync, fdatasync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const sync = promisify(fdatasync);

function recall(file) {
  const map = new Map();
  if (!existsSync(file)) return map;
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    if (line === '') continue;
    const [key, value] = JSON.parse(line);
    if (value === undefined) map.delete(key);
    else map.set(key, value);
  }
  return map;
}

/** A function that appends a line, and resolves once it is where the level wants it. */
function appender(fd, level) {
  let lines = [];
  let turn;
  let synced = Promise.resolve();

  async function writeTurn() {
    await synced;
    appendFileSync(fd, lines.join(''));
    lines = [];
    turn = undefined;
    if (level === 'os') return;
    synced = sync(fd);
    await synced;
  }

  return (entry) => {
    lines.push(`${JSON.stringify(entry)}\n`);
    turn ??= writeTurn();
    return turn;
  };
}

/** @type {import('./store.d.ts').Open} */
export async function open(directory, level) {
  const file = join(directory, 'log.jsonl');
  const map = recall(file);
  const fd = openSync(file, 'a');
  const append = appender(fd, level);
  const write = (key, value) => {
    map.set(key, value);
    return append([key, value]);
  };
  return {
    write,
    writeBatch: (entries) => Promise.all(entries.map(([key, value]) => write(key, value))),
    get: (key) => map.get(key),
    getSync: (key) => map.get(key),
    delete(key) {
      map.delete(key);
      return append([key]);
    },
    async scan(visit) {
      for (const [key, value] of map) visit(key, value);
    },
    flush: () => sync(fd),
    async close() {
      closeSync(fd);
    },
  };
}
