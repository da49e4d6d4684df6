/**
 * What backup and restore have in common: a bar, and a report.
 *
 * @module
 */
import type { BackupReport } from '../reports.ts';
import type { LongWorkOptions } from '../upkeep.ts';
import type { Answer, Context } from './command.ts';
import { shownBy } from './progress.ts';
import { harmless } from './terminal.ts';
import { counted, size } from './units.ts';

export async function copied(
  { json, out, signal, progress }: Context,
  label: string,
  target: string,
  copy: (work: LongWorkOptions) => Promise<BackupReport>,
): Promise<Answer> {
  const bar = progress(label);
  const report = await copy({ signal, onProgress: shownBy(bar) }).finally(bar.end);
  const { tables, records, bytes } = report;
  const what = `${counted(records, 'record')} in ${counted(tables, 'table')}, ${size(bytes)}`;
  await (json ? out.json(report) : out.line(`${what}, written to ${harmless(target)}`));
  return 0;
}
