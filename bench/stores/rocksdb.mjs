import { encodingOf, levelStore } from './level.mjs';

export const probe = ({ module }) => import(module);

/** @type {import('./store.d.ts').Open} */
export async function open(directory, { level, kind, module }) {
  const { RocksLevel } = (await import(module)).default;
  const db = new RocksLevel(directory, { valueEncoding: encodingOf(kind) });
  await db.open();
  return levelStore(db, level);
}
