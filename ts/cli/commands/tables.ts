/**
 * `tables`: their names, one on each line.
 *
 * @module
 */
import { atMost } from '../arguments.ts';
import type { Run } from '../command.ts';
import { shown } from '../terminal.ts';

export const run: Run = async ({ args, json, out, open }) => {
  atMost(args, 0);
  const db = await open('read');
  for (const table of db.listTables()) await (json ? out.json(table) : out.line(shown(table)));
  return 0;
};
