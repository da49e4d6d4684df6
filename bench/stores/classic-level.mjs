import { ClassicLevel } from 'classic-level';

const PAGE = 1000;

/** @type {import('./store.d.ts').Open} */
export async function open(directory, level) {
  const db = new ClassicLevel(directory, { valueEncoding: 'json' });
  await db.open();
  const options = { sync: level === 'full' };
  return {
    write: (key, value) => db.put(key, value, options),
    writeBatch: (entries) =>
      db.batch(
        entries.map(([key, value]) => ({ type: 'put', key, value })),
        options,
      ),
    get: (key) => db.get(key),
    getSync: (key) => db.getSync(key),
    delete: (key) => db.del(key, options),
    async scan(visit) {
      const iterator = db.iterator();
      for (let page = await iterator.nextv(PAGE); page.length > 0; page = await iterator.nextv(PAGE)) {
        for (const [key, value] of page) visit(key, value);
      }
      await iterator.close();
    },
    // An empty write that syncs brings everything before it to disk.
    flush: () => db.batch([{ type: 'del', key: '\0' }], { sync: true }),
    close: () => db.close(),
  };
}
