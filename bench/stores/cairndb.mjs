import { CairnDB } from 'cairndb';

const TABLE = 'records';

/** @type {import('./store.d.ts').Open} */
export async function open(directory, level) {
  const db = await CairnDB.open(directory, { durability: level });
  return {
    write: (key, value) => db.write(TABLE, key, value),
    writeBatch: (entries) => db.batch(entries.map(([key, value]) => ({ type: 'put', table: TABLE, key, value }))),
    get: (key) => db.get(TABLE, key),
    getSync: (key) => db.getSync(TABLE, key),
    delete: (key) => db.delete(TABLE, key),
    async scan(visit) {
      for await (const [key, value] of db.entries(TABLE)) visit(key, value);
    },
    flush: () => db.flush(),
    close: () => db.close(),
  };
}
