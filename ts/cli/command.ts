/**
 * What a command of the command line is: data that describes it, and a function that runs it.
 *
 * @module
 */
import type { CairnDB } from '../database.ts';
import type { Output } from './output.ts';
import type { ProgressBar } from './progress.ts';

/** One option, as `parseArgs` takes it and as help shows it. */
export interface CommandOption {
  readonly type: 'boolean' | 'string';
  readonly multiple?: boolean;
  readonly short?: string;
  /** What help calls its value: `--limit <number>`. */
  readonly value?: string;
  readonly description: string;
}

/** All that help, completions, the man page and the documentation say about a command. */
export interface CommandSpec {
  readonly name: string;
  /** One line without a full stop. */
  readonly summary: string;
  /** The arguments as they are shown: `<table> <key>`, those in `[]` can be left out. */
  readonly arguments: string;
  readonly options?: Readonly<Record<string, CommandOption>>;
  /** Paragraphs, each one line, with an empty one between them. */
  readonly details?: string;
  readonly examples: readonly { readonly line: string; readonly what: string }[];
  /** Where it is: `anywhere` needs no directory, `prompt` is for the prompt alone. Default: behind a directory. */
  readonly place?: 'anywhere' | 'prompt';
}

/** Values of options by their names. */
export type Options = Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;

/** `read`: sees what is there and writes nothing. `write`: what is there already. `create`: makes the directory too. */
export type OpenKind = 'read' | 'write' | 'create';

/** What a command works with. */
export interface Context {
  readonly directory: string;
  /** Without the name of the command. */
  readonly args: readonly string[];
  readonly options: Options;
  readonly json: boolean;
  readonly out: Output;
  /** A bar on stderr, if a person looks at it. `amount` says how much is done, in bytes if it is not given. */
  readonly progress: (label: string, amount?: (number: number) => string) => ProgressBar;
  /** Aborts with Ctrl-C, SIGTERM, and when nobody reads the output any more. */
  readonly signal: AbortSignal;
  /** Opens the database; it is closed when the command has ended. */
  open(kind: OpenKind): Promise<CairnDB>;
}

/** 0: done. 1: the answer is no. */
export type Answer = 0 | 1;

export type Run = (context: Context) => Promise<Answer>;

export interface Command {
  readonly spec: CommandSpec;
  readonly run: Run;
}

/** Wrong use of a command: exit code 2, with a line that shows its use. */
export class UsageError extends Error {}

/** The answer is no, and why: exit code 1. */
export class Negative extends Error {}
