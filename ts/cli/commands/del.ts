/**
 * `del`: deletes a record.
 *
 * @module
 */
import { exactly } from '../arguments.ts';
import { Negative, type Run } from '../command.ts';
import { shown } from '../terminal.ts';

export const run: Run = async ({ args, json, out, open }) => {
  const { table, key } = exactly(args, 'table', 'key');
  const db = await open('write');
  const deleted = await db.delete(table, key);
  await db.flush();
  if (!deleted) throw new Negative(`there is no record ${shown(key)} in table ${shown(table)}; nothing was deleted`);
  await (json ? out.json({ deleted: true }) : out.line('deleted'));
  return 0;
};
