// What a store in JavaScript can hope for: a Map of the objects themselves, and a file of one line for each write, which
// is written once per turn. It checks nothing, never gets rid of what was overwritten, and holds everything in memory.

import { appendFileSync, closeSync, existsSync, fdatasync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { prefixed } from './tables.mjs';

const sync = promisify(fdatasync);

const encodings = {
  object: { encode: (value) => value, decode: (value) => value },
  buffer: { encode: (value) => value.toString('base64'), decode: (value) => Buffer.from(value, 'base64') },
};

/** Only buffers: a string cannot hold a file of more than 512 MB. */
function* linesOf(file) {
  const bytes = readFileSync(file);
  for (let start = 0, end = bytes.indexOf(10); end !== -1; start = end + 1, end = bytes.indexOf(10, start)) {
    yield bytes.toString('utf8', start, end);
  }
}

function recall(file, decode) {
  const map = new Map();
  if (!existsSync(file)) return map;
  for (const line of linesOf(file)) {
    const entry = JSON.parse(line);
    if (entry.length === 1) map.delete(entry[0]);
    else map.set(entry[0], decode(entry[1]));
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
export async function open(directory, { level, kind }) {
  const { encode, decode } = encodings[kind];
  const file = join(directory, 'log.jsonl');
  const map = recall(file, decode);
  const fd = openSync(file, 'a');
  const append = appender(fd, level);
  const write = (key, value) => {
    map.set(key, value);
    return append([key, encode(value)]);
  };
  const store = {
    write,
    writeBatch: (entries) => Promise.all(entries.map(([key, value]) => write(key, value))),
    get: async (key) => map.get(key),
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
  return { ...store, table: prefixed(store) };
}
