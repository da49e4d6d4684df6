import { open as openLmdb } from 'lmdb';

/** What its README says of each mode: shared structures encode and decode faster, the cache keeps decoded objects. */
const modes = {
  default: {},
  shared: { sharedStructuresKey: Symbol.for('structures') },
  cache: { sharedStructuresKey: Symbol.for('structures'), cache: true },
};

/** A named database for each of thousands of tables makes every transaction slow; keys of several parts do not. */
const table = (db, name) => ({
  write: (key, value) => db.put([name, key], value),
  get: (key) => db.get([name, key]),
  getSync: (key) => db.get([name, key]),
});

/** @type {import('./store.d.ts').Open} */
export async function open(directory, { level, kind, mode }) {
  const encoding = kind === 'buffer' ? { encoding: 'binary' } : modes[mode];
  const db = openLmdb({ path: directory, overlappingSync: level === 'os', ...encoding });
  return {
    write: (key, value) => db.put(key, value),
    get: (key) => db.get(key),
    getSync: (key) => db.get(key),
    writeBatch: (entries) =>
      db.transaction(() => {
        for (const [key, value] of entries) db.put(key, value);
      }),
    delete: (key) => db.remove(key),
    async scan(visit) {
      for (const { key, value } of db.getRange()) if (typeof key === 'string') visit(key, value);
    },
    async range(start, limit, visit) {
      for (const { key, value } of db.getRange({ start, limit })) if (typeof key === 'string') visit(key, value);
    },
    table: (name) => table(db, name),
    flush: () => db.flushed,
    close: () => db.close(),
  };
}
