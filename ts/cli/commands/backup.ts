/**
 * `backup`: a copy of the database as it is at one moment.
 *
 * @module
 */
import { exactly } from '../arguments.ts';
import type { Run } from '../command.ts';
import { copied } from '../copied.ts';

export const run: Run = async (context) => {
  const { target } = exactly(context.args, 'target');
  const db = await context.open('read');
  return copied(context, 'backing up', target, (work) => db.backup(target, work));
};
