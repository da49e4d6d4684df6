/**
 * `completions`: a script for a shell, made of the specs.
 *
 * @module
 */
import { exactly } from '../arguments.ts';
import { type Run, UsageError } from '../command.ts';
import { bash } from '../completions/bash.ts';
import { fish } from '../completions/fish.ts';
import { zsh } from '../completions/zsh.ts';
import { shown } from '../terminal.ts';

const SHELLS: Readonly<Record<string, () => string>> = { bash, zsh, fish };

export const run: Run = async ({ args, out }) => {
  const { 'bash|zsh|fish': name } = exactly(args, 'bash|zsh|fish');
  const script = Object.hasOwn(SHELLS, name) ? SHELLS[name] : undefined;
  if (!script) throw new UsageError(`there are no completions for ${shown(name)}`);
  await out.write(script());
  return 0;
};
