/**
 * What was typed, as a command with its options and arguments.
 *
 * @module
 */
import { parseArgs } from 'node:util';
import { type CommandSpec, type Options, UsageError } from './command.ts';
import type { Said } from './run.ts';
import { COMMON, specOf } from './specs.ts';

/** Options in front of the command, and what stands behind them. */
export interface Line {
  /** Common options that were given before the command. */
  readonly options: Options;
  readonly words: readonly string[];
}

/** Takes the common options from the front of `words`. */
export function leading(words: readonly string[]): Line {
  const options: Record<string, boolean> = {};
  let at = 0;
  for (; at < words.length; at += 1) {
    const name = commonName(words[at] as string);
    if (name === undefined) break;
    options[name] = true;
  }
  return { options, words: words.slice(at) };
}

function commonName(word: string): string | undefined {
  if (word === '-h') return 'help';
  const name = word.startsWith('--') ? word.slice(2) : '';
  return Object.hasOwn(COMMON, name) ? name : undefined;
}

/** No argument of a process contains it, so that it marks words that only look like options. */
const MARK = '\0';

/** What stands behind the name of a command. */
export function parseWords(
  spec: CommandSpec,
  words: readonly string[],
  said: Said,
): { args: string[]; options: Options } {
  const { values, positionals } = parsed(spec, words);
  const options = Object.entries(values).map(([name, value]) => [
    name,
    each(value, (text) => said(unmarked(text), undefined, true)),
  ]);
  const names = spec.arguments.split(' ').map((name) => name.replace(/[<>[\]]/g, ''));
  const isText = values.string === true;
  const args = positionals.map((word, at) => said(unmarked(word), names[at], isText));
  return { args, options: Object.fromEntries(options) };
}

type Given = string | boolean | (string | boolean)[] | undefined;

function each(value: Given, change: (text: string) => string): Given {
  const one = (item: string | boolean) => (typeof item === 'string' ? change(item) : item);
  if (value === undefined) return undefined;
  return Array.isArray(value) ? value.map(one) : one(value);
}

function parsed({ options }: CommandSpec, words: readonly string[]) {
  try {
    return parseArgs({
      // Negative numbers are values: no option is named like one.
      args: words.map((word) => (/^-\d/.test(word) ? MARK + word : word)),
      options: { ...COMMON, ...options },
      allowPositionals: true,
    });
  } catch (error) {
    throw new UsageError(reason(error as Error), { cause: error });
  }
}

function unmarked(word: string): string {
  return word.startsWith(MARK) ? word.slice(1) : word;
}

/** What `parseArgs` says, up to its advice, which knows nothing of this command. */
function reason({ message }: Error): string {
  return (message.split(/\. |\n/, 1)[0] as string).replace(/\.$/, '');
}

/** The command of this name. */
export function commandOf(name: string): CommandSpec {
  const spec = specOf(name);
  if (spec) return spec;
  throw new UsageError(`there is no command ${name}`);
}
