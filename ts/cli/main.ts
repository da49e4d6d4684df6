/**
 * From the arguments of the process to a command, or to the prompt.
 *
 * @module
 */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { type CommandSpec, UsageError } from './command.ts';
import { commandHelp, generalHelp } from './help.ts';
import { Interrupts } from './interrupts.ts';
import { Output } from './output.ts';
import { commandOf, leading } from './parse.ts';
import { fail, type Place, runCommand } from './run.ts';
import { specOf } from './specs.ts';
import { shown } from './terminal.ts';

/** Runs what `argv` says. Resolves to the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  const interrupts = new Interrupts();
  const out = new Output(process.stdout, process.env, (error) => interrupts.abort(error));
  const { options, words } = leading(argv);
  const place = { directory: '', out, interrupts, options };
  try {
    return await dispatch(place, words);
  } catch (error) {
    return fail(error, undefined, place);
  }
}

async function dispatch(place: Place, [first, ...rest]: readonly string[]): Promise<number> {
  const spec = first === undefined ? undefined : specOf(first);
  if (place.options.help) return printHelp(place, spec);
  if (first === undefined) throw new UsageError('the directory is missing');
  if (spec?.place === 'anywhere') return runCommand(place, spec, rest);
  const { options, words } = leading(rest);
  const [name, ...args] = words;
  if (name === undefined && options.help) return printHelp(place, spec);
  const command = name === undefined ? undefined : commandAfter(first, name);
  if (spec && !command && !existsSync(first)) throw behindDirectory(spec);
  const inside = { ...place, directory: resolve(first), options: { ...place.options, ...options } };
  return command ? runCommand(inside, command, args) : prompt(inside);
}

/** The command behind a directory; who forgot the directory is told so. */
function commandAfter(directory: string, name: string): CommandSpec {
  const forgotten = specOf(directory);
  const command = specOf(name);
  if (!command && forgotten && !existsSync(directory)) throw behindDirectory(forgotten);
  if (command?.place === 'prompt') throw new UsageError(`${name} is for the prompt alone`);
  return command ?? commandOf(name);
}

function behindDirectory({ name }: CommandSpec): UsageError {
  return new UsageError(`${shown(name)} stands behind the directory, which comes first`);
}

async function printHelp({ out }: Place, spec: CommandSpec | undefined): Promise<number> {
  await out.write(spec ? commandHelp(spec) : generalHelp());
  await out.flush();
  return 0;
}

async function prompt(place: Place): Promise<number> {
  const { runPrompt } = await import('./prompt/prompt.ts');
  return runPrompt(place);
}
