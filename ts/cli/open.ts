/**
 * The one place that opens databases.
 *
 * @module
 */
import { readdirSync, statSync } from 'node:fs';
import type { CairnDB } from '../database.ts';
import type { OpenKind } from './command.ts';

/** What a command has opened, until it has ended. */
export class Door {
  readonly #opened: CairnDB[] = [];

  async open(directory: string, kind: OpenKind): Promise<CairnDB> {
    const { CairnDB } = await import('../database.ts');
    if (kind !== 'create') await checkDatabase(directory);
    const db = await (kind === 'read' ? look(CairnDB, directory) : enter(CairnDB, directory));
    this.#opened.push(db);
    return db;
  }

  async close(): Promise<void> {
    for (const db of this.#opened.splice(0)) await db.close();
  }
}

/** Refuses to make a database where one was meant to be: a wrong path shall not leave files. */
async function checkDatabase(directory: string): Promise<void> {
  const problem = problemWith(directory);
  if (problem === undefined) return;
  const { CairnError } = await import('../errors.ts');
  throw new CairnError('ERR_CAIRN_DIRECTORY', `${problem}; give the directory of a database, or make one with set`);
}

function problemWith(directory: string): string | undefined {
  const stats = statSync(directory, { throwIfNoEntry: false });
  if (!stats) return `there is no directory ${directory}`;
  if (!stats.isDirectory()) return `${directory} is a file`;
  const isDatabase = readdirSync(directory).some((name) => /\.(manifest|journal|stone)$/.test(name));
  return isDatabase ? undefined : `there is no database in ${directory}`;
}

type Opener = typeof CairnDB;

function has(error: unknown, code: string): boolean {
  return (error as { code?: unknown }).code === code;
}

/** A tool takes little memory beside the application, however large the database: mapped files would count as its own. */
const MODEST = { mmap: false, memtableBytes: 4 * 1024 * 1024 };

/** How often opening begins again when whoever writes was faster. */
const TRIES = 10;

/** Beside whoever has it, and without a trace. */
async function look(Database: Opener, directory: string, tries = TRIES): Promise<CairnDB> {
  try {
    return await Database.open(directory, { access: 'readonly', ...MODEST });
  } catch (error) {
    if (tries > 1 && has(error, 'ERR_CAIRN_BEHIND')) return look(Database, directory, tries - 1);
    throw error;
  }
}

/** For this process alone; or with the others, if they share it. */
async function enter(Database: Opener, directory: string): Promise<CairnDB> {
  try {
    return await Database.open(directory, MODEST);
  } catch (error) {
    if (!has(error, 'ERR_CAIRN_LOCKED')) throw error;
    return Database.open(directory, { access: 'shared', ...MODEST });
  }
}
