/**
 * `verify`: what is damaged.
 *
 * @module
 */
import type { Damage, VerifyReport } from '../../reports.ts';
import { atMost } from '../arguments.ts';
import type { Context, Run } from '../command.ts';
import { damageLines } from '../damage.ts';
import { shownBy } from '../progress.ts';
import { count, counted, size } from '../units.ts';

export const run: Run = async (context) => {
  atMost(context.args, 0);
  const { json, out } = context;
  const report = await verify(context);
  if (json) {
    await out.json(report);
    return report.damage.length > 0 ? 1 : 0;
  }
  if (report.files > 0) {
    const parts = `${count(report.checked)} records and journal entries`;
    await out.line(`${counted(report.files, 'file')} with ${size(report.bytes)} read; ${parts} are sound`);
  }
  if (report.damage.length === 0) {
    await out.line(out.styled('green', 'no damage'));
    return 0;
  }
  await out.line(out.styled('red', `${counted(report.damage.length, 'place')} damaged:`));
  for (const line of damageLines(report.damage)) await out.line(line);
  await out.line('repair <target> writes a new database of all that is sound');
  return 1;
};

/** The report; of a database that is too damaged to be opened, with the place that opening found. */
async function verify({ open, progress, signal }: Context): Promise<VerifyReport> {
  const bar = progress('verifying');
  try {
    const db = await open('read');
    return await db.verify({ signal, onProgress: shownBy(bar) });
  } catch (error) {
    const damage = damageOf(error);
    if (!damage) throw error;
    return { files: 0, bytes: 0, checked: 0, damage: [damage] };
  } finally {
    bar.end();
  }
}

function damageOf(error: unknown): Damage | undefined {
  const {
    code,
    path,
    offset = 0,
    message,
  } = error as { code?: string; path?: string; offset?: number; message: string };
  if (code !== 'ERR_CAIRN_CORRUPT' || path === undefined) return undefined;
  return { path, offset, bytes: null, what: message, table: null, keys: [], between: null };
}
