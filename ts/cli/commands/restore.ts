/**
 * `restore`: a database of a backup.
 *
 * @module
 */
import { exactly } from '../arguments.ts';
import type { Run } from '../command.ts';
import { copied } from '../copied.ts';
import { statics } from '../facade.ts';

export const run: Run = async (context) => {
  const { target } = exactly(context.args, 'target');
  const CairnDB = await statics();
  return copied(context, 'restoring', target, (work) => CairnDB.restore(context.directory, target, work));
};
