// What is the same in all stores that have the interface of abstract-level, but for tables.

const PAGE = 1000;

/** Reads the records of a range in pages, which is its fastest way. */
async function visitAll(iterator, visit) {
  for (let page = await iterator.nextv(PAGE); page.length > 0; page = await iterator.nextv(PAGE)) {
    for (const [key, value] of page) visit(key, value);
  }
  await iterator.close();
}

export const encodingOf = (kind) => (kind === 'buffer' ? 'buffer' : 'json');

export function levelStore(db, level) {
  const options = { sync: level === 'full' };
  return {
    write: (key, value) => db.put(key, value, options),
    writeBatch: (entries) =>
      db.batch(
        entries.map(([key, value]) => ({ type: 'put', key, value })),
        options,
      ),
    get: (key) => db.get(key),
    delete: (key) => db.del(key, options),
    scan: (visit) => visitAll(db.iterator(), visit),
    range: (start, limit, visit) => visitAll(db.iterator({ gte: start, limit }), visit),
    // An empty write that syncs brings everything before it to disk.
    flush: () => db.batch([{ type: 'del', key: '\u0001' }], { sync: true }),
    close: () => db.close(),
  };
}
