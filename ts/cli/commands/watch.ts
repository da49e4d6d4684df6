/**
 * `watch`: changes as they are committed.
 *
 * @module
 */
import { CairnDB } from '../../database.ts';
import type { Change } from '../../watch.ts';
import { atMost } from '../arguments.ts';
import type { Context, Run } from '../command.ts';
import { inspectedLine } from '../inspected.ts';
import { cut, type Style, shown } from '../terminal.ts';
import { encoded } from '../values.ts';

export const run: Run = async (context) => {
  const { directory, args, out, signal } = context;
  atMost(args, 1);
  const [only] = args;
  for await (const change of CairnDB.watch(directory, { signal })) {
    if (only !== undefined && change.table !== only) continue;
    await print(context, change);
    await out.flush();
  }
  return 0;
};

const STYLES: Readonly<Record<Change['type'], Style>> = { put: 'green', delete: 'red', deleteTable: 'red' };

async function print({ json, out }: Context, change: Change): Promise<void> {
  if (json) return out.json(change.type === 'put' ? { ...change, value: await encoded(change.value) } : change);
  const { type, table } = change;
  const head = `${type} ${shown(table)}`;
  const tail = 'key' in change ? ` ${shown(change.key)} ${change.type === 'put' ? await putText(change) : ''}` : '';
  const line = cut((head + tail).trimEnd(), out.terminal.columns);
  await out.line(out.styled(STYLES[type], line.slice(0, type.length)) + line.slice(type.length));
}

async function putText({ version, value }: Extract<Change, { type: 'put' }>): Promise<string> {
  return `(version ${version}) ${await inspectedLine(value)}`;
}
