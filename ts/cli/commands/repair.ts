/**
 * `repair`: a new database of all that is sound.
 *
 * @module
 */
import { exactly } from '../arguments.ts';
import type { Run } from '../command.ts';
import { damageLines } from '../damage.ts';
import { statics } from '../facade.ts';
import { harmless } from '../terminal.ts';
import { counted } from '../units.ts';

export const run: Run = async ({ directory, args, json, out, signal, progress }) => {
  const { target } = exactly(args, 'target');
  const bar = progress('repairing');
  const { repair } = await repairing();
  const report = await repair(directory, target, {
    signal,
    onProgress: ({ done, total }) => bar.update(done, total),
  }).finally(bar.end);
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

async function repairing() {
  const CairnDB = await statics();
  return { repair: CairnDB.repair.bind(CairnDB) };
}
