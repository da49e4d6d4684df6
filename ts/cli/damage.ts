/**
 * Damage, in lines for people.
 *
 * @module
 */
import type { Damage } from '../reports.ts';
import { harmless, shown } from './terminal.ts';
import { counted } from './units.ts';

/** More keys than these are told as their number; --json has them all. */
const KEYS = 10;

/** For each damage a line with the place, and lines with what is lost by it. */
export function* damageLines(damage: readonly Damage[]): Generator<string> {
  for (const { path, offset, bytes, what, table, keys, between } of damage) {
    // Behind the semicolon it says what to do, which is said once for all.
    const [reason = what] = what.split('; ', 1);
    const length = bytes === null ? '' : `, ${counted(bytes, 'byte')}`;
    yield `  ${harmless(path)} at ${offset}${length}: ${harmless(reason)}`;
    const where = table === null ? '' : ` of table ${shown(table)}`;
    if (keys.length > 0) {
      const more = keys.length > KEYS ? ` and ${counted(keys.length - KEYS, 'other')} (--json has all)` : '';
      yield `    lost: ${keys.slice(0, KEYS).map(shown).join(', ')}${more}${where}`;
    } else if (between) yield `    lost: keys ${bounds(between)}${where}`;
  }
}

function bounds({ after, before }: NonNullable<Damage['between']>): string {
  const from = after === null ? 'from the first one' : `after ${shown(after)}`;
  return `${from}, ${before === null ? 'to the last one' : `before ${shown(before)}`}`;
}
