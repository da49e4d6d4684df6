import { encodingOf, levelStore } from './level.mjs';
import { prefixed } from './tables.mjs';

/** Its `get` rejects where there is no record. */
function missing(error) {
  if (error.code !== 'LEVEL_NOT_FOUND') throw error;
  return undefined;
}

export const probe = ({ module }) => import(module);

/** @type {import('./store.d.ts').Open} */
export async function open(directory, { level, kind, module }) {
  const { RocksLevel } = (await import(module)).default;
  const db = new RocksLevel(directory, { valueEncoding: encodingOf(kind) });
  await db.open();
  const store = { ...levelStore(db, level), get: (key) => db.get(key).catch(missing) };
  if (level === 'full') {
    // Its `put` and `del` drop their options, so that `sync: true` syncs nothing there; its `batch` heeds them.
    store.write = (key, value) => store.writeBatch([[key, value]]);
    store.delete = (key) => db.batch([{ type: 'del', key }], { sync: true });
  }
  return { ...store, table: prefixed(store) };
}
