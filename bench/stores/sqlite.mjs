// What is the same in better-sqlite3 and node:sqlite: one table of keys and values, and statements prepared once.

import { join } from 'node:path';
import { prefixed } from './tables.mjs';

/** SQLite's documentation: a table without rowids suits rows below a twentieth of a page. */
const WITHOUT_ROWID_BYTES = 200;

/** One of the two returns a Uint8Array. */
const asBuffer = (bytes) =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);

const encodings = {
  object: { column: 'TEXT', encode: JSON.stringify, decode: JSON.parse },
  buffer: { column: 'BLOB', encode: (bytes) => bytes, decode: asBuffer },
};

function prepareTable(db, { level, kind, bytes }) {
  db.exec('PRAGMA journal_mode = WAL');
  db.exec(`PRAGMA synchronous = ${level === 'full' ? 'FULL' : 'NORMAL'}`);
  const rowid = bytes <= WITHOUT_ROWID_BYTES ? 'WITHOUT ROWID' : '';
  db.exec(`CREATE TABLE IF NOT EXISTS records (key TEXT PRIMARY KEY, value ${encodings[kind].column}) ${rowid}`);
}

/** Opens the database file with `Database`, the class of either package. */
export function openSqlite(Database, directory, settings, options) {
  const db = new Database(join(directory, 'records.db'), options);
  prepareTable(db, settings);
  const { encode, decode } = encodings[settings.kind];
  const put = db.prepare('INSERT OR REPLACE INTO records (key, value) VALUES (?, ?)');
  const select = db.prepare('SELECT value FROM records WHERE key = ?');
  const remove = db.prepare('DELETE FROM records WHERE key = ?');
  const all = db.prepare('SELECT key, value FROM records ORDER BY key');
  const some = db.prepare('SELECT key, value FROM records WHERE key >= ? ORDER BY key LIMIT ?');

  const getSync = (key) => {
    const row = select.get(key);
    return row === undefined ? undefined : decode(row.value);
  };

  function writeBatch(entries) {
    db.exec('BEGIN IMMEDIATE');
    for (const [key, value] of entries) put.run(key, encode(value));
    db.exec('COMMIT');
  }

  const store = {
    write: (key, value) => put.run(key, encode(value)),
    writeBatch,
    get: getSync,
    getSync,
    delete: (key) => remove.run(key),
    async scan(visit) {
      for (const { key, value } of all.iterate()) visit(key, decode(value));
    },
    async range(start, limit, visit) {
      for (const { key, value } of some.iterate(start, limit)) visit(key, decode(value));
    },
    compact() {
      db.exec('VACUUM');
      db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    },
    // A checkpoint syncs the journal, and what it copies out of it.
    flush: () => db.prepare('PRAGMA wal_checkpoint(FULL)').all(),
    close: () => db.close(),
  };
  return { ...store, table: prefixed(store) };
}
