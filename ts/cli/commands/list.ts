/**
 * `list`: keys and values of a table, as worsen's prompt shows them.
 *
 * @module
 */
import { exactly } from '../arguments.ts';
import type { Run } from '../command.ts';
import { inspectedLine } from '../inspected.ts';
import { cut, shown } from '../terminal.ts';
import { encoded } from '../values.ts';

export const run: Run = async ({ args, json, out, signal, open }) => {
  const { table } = exactly(args, 'table');
  const db = await open('read');
  for await (const [key, value] of db.entries(table)) {
    signal.throwIfAborted();
    if (json) await out.json({ key, value: await encoded(value) });
    else await out.line(cut(`${shown(key)}: ${await inspectedLine(value)}`, out.terminal.columns));
  }
  return 0;
};
