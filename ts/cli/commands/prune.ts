/**
 * `prune`: removes files that only earlier generations need.
 *
 * @module
 */
import { atMost, numberOption } from '../arguments.ts';
import { type Run, UsageError } from '../command.ts';
import { counted, size } from '../units.ts';

export const run: Run = async ({ args, options, json, out, open }) => {
  atMost(args, 0);
  const keep = numberOption(options, 'keep', 1);
  if (keep === undefined) throw new UsageError('--keep <number> is missing');
  const db = await open('write');
  const pruned = await db.prune({ keep });
  const { generations, files, bytes } = pruned;
  const text = `${counted(generations, 'generation')} removed: ${counted(files, 'file')} with ${size(bytes)}`;
  await (json ? out.json(pruned) : out.line(text));
  return 0;
};
