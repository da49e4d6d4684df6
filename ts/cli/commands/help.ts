/**
 * `help`: what there is, and what a command does.
 *
 * @module
 */
import { atMost } from '../arguments.ts';
import type { Run } from '../command.ts';
import { commandHelp, ENVIRONMENT, EXIT_CODES, generalHelp } from '../help.ts';
import { commandOf } from '../parse.ts';
import { COMMON, specs } from '../specs.ts';

/** What the man page and the documentation are made of. */
const everything = { commands: specs, options: COMMON, exitCodes: EXIT_CODES, environment: ENVIRONMENT };

export const run: Run = async ({ args, json, out }) => {
  atMost(args, 1);
  if (json) {
    await out.json(args[0] === undefined ? everything : commandOf(args[0]));
    return 0;
  }
  await out.write(args[0] === undefined ? generalHelp() : commandHelp(commandOf(args[0])));
  return 0;
};
