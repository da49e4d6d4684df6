/**
 * `count`: how many records there are.
 *
 * @module
 */

import { atMost } from '../arguments.ts';
import type { Run } from '../command.ts';

export const run: Run = async ({ args, json, out, open }) => {
  atMost(args, 1);
  const db = await open('read');
  const tables = args[0] === undefined ? db.listTables() : [args[0]];
  let records = 0;
  for (const table of tables) records += await db.getTableSize(table);
  await (json ? out.json({ records }) : out.line(String(records)));
  return 0;
};
