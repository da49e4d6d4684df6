/**
 * All commands, as data: help, completions, the man page and the documentation are made of it.
 *
 * @module
 */
import type { CommandOption, CommandSpec } from './command.ts';
import { GENERAL, PROMPT } from './specs/general.ts';
import { READING } from './specs/reading.ts';
import { UPKEEP } from './specs/upkeep.ts';
import { WRITING } from './specs/writing.ts';
import { MOVING } from './transfer/specs.ts';

/** Options that every command takes. */
export const COMMON: Readonly<Record<string, CommandOption>> = {
  json: { type: 'boolean', description: 'JSON for programs: one document, or one for each line of a list' },
  help: { type: 'boolean', short: 'h', description: 'Show the help of the command' },
  debug: { type: 'boolean', description: 'Show where an error comes from, as a stack trace' },
};

export const specs: readonly CommandSpec[] = [...READING, ...WRITING, ...UPKEEP, ...MOVING, ...GENERAL, ...PROMPT];

export function specOf(name: string): CommandSpec | undefined {
  return specs.find((spec) => spec.name === name);
}
