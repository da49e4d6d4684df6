import { open as openLmdb } from 'lmdb';

/** What its README says of each mode: shared structures encode and decode faster, the cache keeps decoded objects. */
const modes = {
  default: {},
  shared: { sharedStructuresKey: Symbol.for('structures') },
  cache: { sharedStructuresKey: Symbol.for('structures'), cache: true },
};

const MOST_TABLES = 10_100;

const records = (db) => ({
  write: (key, value) => db.put(key, value),
  get: (key) => db.get(key),
  getSync: (key) => db.get(key),
});

/** @type {import('./store.d.ts').Open} */
export async function open(directory, { level, kind, mode }) {
  const encoding = kind === 'buffer' ? { encoding: 'binary' } : modes[mode];
  const root = openLmdb({ path: directory, overlappingSync: level === 'os', maxDbs: MOST_TABLES, ...encoding });
  const db = root.openDB({ name: 'records', ...encoding });
  return {
    ...records(db),
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
    table: (name) => records(root.openDB({ name, ...encoding })),
    flush: () => db.flushed,
    close: () => root.close(),
  };
}
