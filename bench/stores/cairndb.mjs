import { CairnDB } from 'cairndb';

const TABLE = 'records';

function options(level, mode) {
  return mode === 'cache' ? { durability: level, objectCache: 2_000_000 } : { durability: level };
}

const records = (db, table) => ({
  write: (key, value) => db.write(table, key, value),
  get: (key) => db.get(table, key),
  getSync: (key) => db.getSync(table, key),
});

/** Throws if this CairnDB has no such mode; touches no disk. */
export function probe({ level, mode }) {
  new CairnDB({ databaseDirectory: '.', ...options(level, mode) });
}

/** @type {import('./store.d.ts').Open} */
export async function open(directory, { level, mode }) {
  const db = await CairnDB.open(directory, options(level, mode));
  return {
    ...records(db, TABLE),
    writeBatch: (entries) => db.batch(entries.map(([key, value]) => ({ type: 'put', table: TABLE, key, value }))),
    delete: (key) => db.delete(TABLE, key),
    async scan(visit) {
      for (const [key, value] of db.entriesSync(TABLE)) visit(key, value);
    },
    async range(start, limit, visit) {
      for (const [key, value] of db.entriesSync(TABLE, { gte: start, limit })) visit(key, value);
    },
    table: (name) => records(db, name),
    compact: () => db.compact(),
    flush: () => db.flush(),
    close: () => db.close(),
  };
}
