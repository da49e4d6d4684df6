/**
 * What backup and restore have in common: a bar, and a report.
 *
 * @module
 */
import type { Answer, Context } from './command.ts';
import type { Copied } from './facade.ts';
import { harmless } from './terminal.ts';
import { counted, size } from './units.ts';

interface Work {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: { readonly done: number; readonly total: number }) => void;
}

export async function copied(
  { json, out, signal, progress }: Context,
  label: string,
  target: string,
  copy: (work: Work) => Promise<Copied>,
): Promise<Answer> {
  const bar = progress(label);
  const report = await copy({ signal, onProgress: ({ done, total }) => bar.update(done, total) }).finally(bar.end);
  const { tables, records, bytes } = report;
  const what = `${counted(records, 'record')} in ${counted(tables, 'table')}, ${size(bytes)}`;
  await (json ? out.json(report) : out.line(`${what}, written to ${harmless(target)}`));
  return 0;
}
