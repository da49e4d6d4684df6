/**
 * `repair`: a new database of all that is sound.
 *
 * @module
 */
import { CairnDB } from '../../database.ts';
import { exactly } from '../arguments.ts';
import type { Run } from '../command.ts';
import { damageLines } from '../damage.ts';
import { shownBy } from '../progress.ts';
import { harmless } from '../terminal.ts';
import { counted } from '../units.ts';

export const run: Run = async ({ directory, args, json, out, signal, progress }) => {
  const { target } = exactly(args, 'target');
  const bar = progress('repairing');
  const report = await CairnDB.repair(directory, target, { signal, onProgress: shownBy(bar) }).finally(bar.end);
  if (json) {
    await out.json(report);
    return 0;
  }
  const { records, tables, damage } = report;
  await out.line(`${counted(records, 'record')} in ${counted(tables, 'table')} written to ${harmless(target)}`);
  if (damage.length === 0) await out.line(out.styled('green', 'nothing was damaged'));
  else await out.line(out.styled('yellow', `${counted(damage.length, 'place')} damaged:`));
  for (const line of damageLines(damage)) await out.line(line);
  return 0;
};
