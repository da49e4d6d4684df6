import { open as openLmdb } from 'lmdb';

/** @type {import('./store.d.ts').Open} */
export async function open(directory, level) {
  // Shared structures are its fastest encoding.
  const sharedStructuresKey = Symbol.for('structures');
  const db = openLmdb({ path: directory, sharedStructuresKey, overlappingSync: level === 'os' });
  return {
    write: (key, value) => db.put(key, value),
    writeBatch: (entries) =>
      db.transaction(() => {
        for (const [key, value] of entries) db.put(key, value);
      }),
    get: (key) => db.get(key),
    getSync: (key) => db.get(key),
    delete: (key) => db.remove(key),
    async scan(visit) {
      for (const { key, value } of db.getRange()) if (typeof key === 'string') visit(key, value);
    },
    flush: () => db.flushed,
    close: () => db.close(),
  };
}
