/**
 * Help, made of the specs.
 *
 * @module
 */
import type { CommandOption, CommandSpec } from './command.ts';
import { COMMON, specs } from './specs.ts';

const GENERAL = 'cairn <directory> [command] [arguments]';

/** How a command is used, in one line. */
export function usage(spec?: CommandSpec, inPrompt = spec?.place === 'prompt'): string {
  if (!spec) return inPrompt ? 'help' : `${GENERAL}, or cairn --help`;
  const where = inPrompt ? '' : spec.place === undefined ? 'cairn <directory>' : 'cairn';
  const options = spec.options ? '[options]' : '';
  return [where, spec.name, spec.arguments, options].filter(Boolean).join(' ');
}

/** An option as it is typed: `-h, --help`, `--limit <number>`. */
export function optionTitle(name: string, { short, type, value = 'value' }: CommandOption): string {
  return `${short ? `-${short}, ` : ''}--${name}${type === 'string' ? ` <${value}>` : ''}`;
}

/** What `cairn --help` prints. */
export function generalHelp(): string {
  const commands = specs.filter(({ place }) => place !== 'prompt');
  return `${[
    'cairn: look inside a CairnDB database, repair it, move it.',
    section('Usage', [
      [GENERAL, 'a command; without one, the prompt'],
      ['cairn help [command]', 'what a command does'],
      ['cairn --version', 'the version'],
    ]),
    section(
      'Commands',
      commands.map(({ name, summary }) => [name, summary]),
    ),
    section('Options of every command', optionRows(COMMON)),
    section('Exit codes', EXIT_CODES),
    section('Environment', ENVIRONMENT),
  ].join('\n\n')}\n`;
}

/** What `help` prints in the prompt. */
export function promptHelp(): string {
  const rows = specs.map((spec): Row => [`${spec.name} ${spec.arguments}`.trimEnd(), spec.summary]);
  return `${section('Commands', rows)}\n\n${WORDS}\n`;
}

const WORDS = [
  'Words with spaces are JSON strings in "quotes", or stand in \'single ones\'; JSON need not be quoted.',
  'Tab completes, Ctrl-C ends a command, Ctrl-D leaves. help <command> says more.',
].join('\n');

/** What `cairn help <command>` prints. */
export function commandHelp(spec: CommandSpec): string {
  return `${[
    `${spec.summary}.`,
    `Usage\n  ${usage(spec)}`,
    spec.details,
    section('Options', [...optionRows(spec.options ?? {}), ...optionRows(COMMON)]),
    section(
      'Examples',
      spec.examples.map(({ line, what }) => [line, what]),
    ),
  ]
    .filter(Boolean)
    .join('\n\n')}\n`;
}

export const EXIT_CODES: readonly Row[] = [
  ['0', 'done'],
  ['1', 'the answer is no: there is no such record, verify found damage, a version did not match'],
  ['2', 'wrong use'],
  ['3', 'the database, or a file, cannot be opened, read or written'],
  ['130, 143', 'ended by Ctrl-C, by SIGTERM'],
];

export const ENVIRONMENT: readonly Row[] = [
  ['NO_COLOR', 'if it is set and not empty: no colours'],
  ['FORCE_COLOR', 'colours also in a pipe; 0: none'],
  ['XDG_STATE_HOME', 'the prompt keeps its history in cairn/history there; default ~/.local/state'],
];

export type Row = readonly [left: string, right: string];

export function optionRows(options: Readonly<Record<string, CommandOption>>): Row[] {
  return Object.entries(options).map(([name, option]) => [optionTitle(name, option), option.description]);
}

function section(title: string, rows: readonly Row[]): string {
  const width = Math.max(...rows.map(([left]) => left.length));
  return [title, ...rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`)].join('\n');
}
