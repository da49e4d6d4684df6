/**
 * What the completions of all shells are made of.
 *
 * @module
 */
import type { CommandSpec } from '../command.ts';
import { COMMON, specs } from '../specs.ts';

/** The commands of the shell. */
export const commands: readonly CommandSpec[] = specs.filter(({ place }) => place !== 'prompt');

/** Those that stand where a directory would. */
export const anywhere = commands.filter(({ place }) => place === 'anywhere');

/** Those behind a directory. */
export const behindDirectory = commands.filter(({ place }) => place === undefined);

/** Options of a command, the common ones included, as `--name` with what they say. */
export function optionsOf(spec: CommandSpec): [name: string, description: string][] {
  return Object.entries({ ...spec.options, ...COMMON }).map(([name, { description }]) => [`--${name}`, description]);
}

/** What the first argument of a command is: `table`, a path, or one of some words. */
export function firstArgument({ arguments: text }: CommandSpec): 'table' | 'path' | readonly string[] {
  const [first = ''] = text.split(' ');
  const name = first.replace(/[<>[\]]/g, '');
  if (name === 'table') return 'table';
  if (name === 'command') return commands.map((spec) => spec.name);
  return name.includes('|') ? name.split('|') : 'path';
}

/** The names of commands whose first argument is a table. */
export const withTable = behindDirectory.filter((spec) => firstArgument(spec) === 'table').map(({ name }) => name);
