import { DatabaseSync } from 'node:sqlite';
import { openSqlite } from './sqlite.mjs';

/** @type {import('./store.d.ts').Open} */
export const open = async (directory, settings) => openSqlite(DatabaseSync, directory, settings, { timeout: 60_000 });
