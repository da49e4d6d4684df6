import { openSqlite } from './sqlite.mjs';

export const probe = ({ module }) => import(module);

/** @type {import('./store.d.ts').Open} */
export async function open(directory, settings) {
  const { default: Database } = await import(settings.module);
  return openSqlite(Database, directory, settings, { timeout: 60_000 });
}
