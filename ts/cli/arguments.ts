/**
 * Reads what was given to a command, and refuses what it does not take.
 *
 * @module
 */
import { type Options, UsageError } from './command.ts';
import { shown } from './terminal.ts';

/** Refuses more arguments than a command takes. */
export function atMost(args: readonly string[], most: number): void {
  const extra = args[most];
  if (extra !== undefined) throw new UsageError(`${shown(extra)} is one argument too many`);
}

/** All arguments of a command that takes exactly these, by their names. */
export function exactly<Name extends string>(args: readonly string[], ...names: Name[]): Record<Name, string> {
  const missing = names[args.length];
  if (missing !== undefined) throw new UsageError(`<${missing}> is missing`);
  atMost(args, names.length);
  return Object.fromEntries(names.map((name, at) => [name, args[at]])) as Record<Name, string>;
}

/** The text of an option, if it was given. */
export function textOption(options: Options, name: string): string | undefined {
  const value = options[name];
  return typeof value === 'string' ? value : undefined;
}

/** A whole number from an option, of at least `least`. */
export function numberOption(options: Options, name: string, least = 0): number | undefined {
  const text = textOption(options, name);
  if (text === undefined) return undefined;
  const number = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(number) && number >= least) return number;
  throw new UsageError(`--${name} is ${shown(text)}; give a whole number of at least ${least}`);
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, min: 60_000, h: 3_600_000, d: 86_400_000 };

/** A span of time from an option, such as 90s, 15min, 12h or 30d, in milliseconds. */
export function spanOption(options: Options, name: string): number | undefined {
  const text = textOption(options, name);
  if (text === undefined) return undefined;
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|min|h|d)$/.exec(text) ?? [];
  const milliseconds = Number(number) * (UNITS[unit] ?? Number.NaN);
  if (milliseconds > 0) return milliseconds;
  throw new UsageError(`--${name} is ${shown(text)}; give a number with ms, s, min, h or d, such as 90s`);
}
