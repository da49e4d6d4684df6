import { ClassicLevel } from 'classic-level';
import { encodingOf, levelStore } from './level.mjs';
import { prefixed } from './tables.mjs';

/** @type {import('./store.d.ts').Open} */
export async function open(directory, { level, kind, threads }) {
  const db = new ClassicLevel(directory, { valueEncoding: encodingOf(kind), multithreading: threads });
  await db.open();
  const store = { ...levelStore(db, level), getSync: (key) => db.getSync(key) };
  return { ...store, table: prefixed(store), compact: () => db.compactRange('', '\uffff') };
}
