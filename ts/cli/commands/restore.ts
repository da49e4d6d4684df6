/**
 * `restore`: a database of a backup.
 *
 * @module
 */
import { CairnDB } from '../../database.ts';
import { exactly } from '../arguments.ts';
import type { Run } from '../command.ts';
import { copied } from '../copied.ts';

export const run: Run = async (context) => {
  const { target } = exactly(context.args, 'target');
  return copied(context, 'restoring', target, (work) => CairnDB.restore(context.directory, target, work));
};
