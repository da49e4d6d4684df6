/**
 * `keys`: the keys of a table, one on each line.
 *
 * @module
 */
import { exactly } from '../arguments.ts';
import type { Run } from '../command.ts';
import { rangeOf } from '../range.ts';
import { shown } from '../terminal.ts';

export const run: Run = async ({ args, options, json, out, signal, open }) => {
  const { table } = exactly(args, 'table');
  const range = rangeOf(options);
  const db = await open('read');
  for await (const key of db.keys(table, range)) {
    signal.throwIfAborted();
    await (json ? out.json(key) : out.line(shown(key)));
  }
  return 0;
};
