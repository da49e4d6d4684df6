/**
 * `compact`: rewrites the tables without what is dead.
 *
 * @module
 */
import type { CairnDB } from '../../database.ts';
import { atMost } from '../arguments.ts';
import type { Run } from '../command.ts';
import { shownBy } from '../progress.ts';
import { size } from '../units.ts';

export const run: Run = async ({ args, json, out, signal, progress, open }) => {
  atMost(args, 0);
  const db = await open('write');
  const before = await bytesOf(db);
  const bar = progress('compacting');
  await db.compact({ signal, onProgress: shownBy(bar) }).finally(bar.end);
  const after = await bytesOf(db);
  await (json ? out.json({ before, after }) : out.line(`${size(before)} before, ${size(after)} now`));
  return 0;
};

async function bytesOf(db: CairnDB): Promise<number> {
  const { stoneBytes, journalBytes } = await db.stats();
  return stoneBytes + journalBytes;
}
