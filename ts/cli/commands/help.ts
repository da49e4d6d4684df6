/**
 * `help`: what there is, and what a command does.
 *
 * @module
 */
import { atMost } from '../arguments.ts';
import type { Run } from '../command.ts';
import { commandHelp, generalHelp } from '../help.ts';
import { commandOf } from '../parse.ts';
import { specs } from '../specs.ts';

export const run: Run = async ({ args, json, out }) => {
  atMost(args, 1);
  if (json) {
    await out.json(args[0] === undefined ? specs : commandOf(args[0]));
    return 0;
  }
  await out.write(args[0] === undefined ? generalHelp() : commandHelp(commandOf(args[0])));
  return 0;
};
