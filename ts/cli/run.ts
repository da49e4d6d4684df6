/**
 * Runs one command, from a shell or from the prompt.
 *
 * @module
 */
import type { Answer, CommandSpec, Context, Options } from './command.ts';
import { exitCodeOf, failureLine } from './failure.ts';
import { commandHelp } from './help.ts';
import type { Interrupts } from './interrupts.ts';
import { Door } from './open.ts';
import type { Output } from './output.ts';
import { parseWords } from './parse.ts';
import { progressBar } from './progress.ts';
import { loaders } from './registry.ts';
import { terminalOf } from './terminal.ts';

/** Where a command runs. */
export interface Place {
  readonly directory: string;
  readonly out: Output;
  readonly interrupts: Interrupts;
  /** Common options from before the command. */
  readonly options: Options;
  /** Whether lines are typed without `cairn <directory>`. */
  readonly inPrompt?: boolean;
}

/** What a word of the prompt says as this argument, or as the value of an option. */
export type Said = (word: string, argument: string | undefined, isText: boolean) => string;

/** Runs a command with the words behind its name, and says what went wrong. Resolves to its exit code. */
export async function runCommand(
  place: Place,
  spec: CommandSpec,
  words: readonly string[],
  said: Said = (word) => word,
): Promise<number> {
  let all = place.options;
  try {
    const { args, options } = parseWords(spec, words, said);
    all = { ...all, ...options };
    if (all.help) {
      await place.out.write(commandHelp(spec));
      await place.out.flush();
      return 0;
    }
    return await place.interrupts.during((signal) => answer(place, spec, { args, options: all, signal }));
  } catch (error) {
    return fail(error, spec, { ...place, options: all });
  }
}

/** Says on stderr what went wrong, in one line. Resolves to the exit code. */
export function fail(error: unknown, spec: CommandSpec | undefined, { options, inPrompt }: Place): number {
  process.stderr.write(failureLine(error, spec, inPrompt));
  if (options.debug && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  return exitCodeOf(error);
}

type Given = Pick<Context, 'args' | 'options' | 'signal'>;

async function answer({ directory, out }: Place, spec: CommandSpec, given: Given): Promise<Answer> {
  const door = new Door();
  const { signal, options } = given;
  try {
    const { run } = await load(spec);
    const result = await run({
      ...given,
      directory,
      out,
      json: options.json === true,
      progress: (label, amount) => progressBar(process.stderr, terminalOf(process.stderr, process.env), label, amount),
      open: (kind) => door.open(directory, kind),
    });
    await out.flush();
    // Also when it was aborted meanwhile: what is done is done.
    return result;
  } catch (error) {
    // Whatever an abort made of the command, it ended because of the abort.
    throw signal.aborted ? signal.reason : error;
  } finally {
    await door.close();
  }
}

async function load({ name }: CommandSpec) {
  const loader = loaders[name];
  if (!loader) throw new Error(`The command ${name} has no module.`);
  return loader();
}
