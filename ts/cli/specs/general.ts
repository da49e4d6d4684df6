/**
 * Commands that need no database, and those that only the prompt has.
 *
 * @module
 */
import type { CommandSpec } from '../command.ts';

export const GENERAL: readonly CommandSpec[] = [
  {
    name: 'help',
    summary: 'Show what a command does',
    arguments: '[command]',
    examples: [{ line: 'cairn help get', what: 'the same as cairn get --help' }],
    place: 'anywhere',
  },
  {
    name: 'completions',
    summary: 'Print the completions for a shell',
    arguments: '<bash|zsh|fish>',
    examples: [
      { line: 'cairn completions bash > ~/.local/share/bash-completion/completions/cairn', what: 'bash' },
      { line: 'cairn completions zsh > ~/.zfunc/_cairn', what: 'zsh, with ~/.zfunc in its fpath' },
      { line: 'cairn completions fish > ~/.config/fish/completions/cairn.fish', what: 'fish' },
    ],
    place: 'anywhere',
  },
];

export const PROMPT: readonly CommandSpec[] = [
  {
    name: 'use',
    summary: 'Leave out the table from now on; without one, no longer',
    arguments: '[table]',
    examples: [{ line: 'use users', what: 'then: get alice' }],
    place: 'prompt',
  },
  {
    name: 'init',
    summary: 'Go to the store of worsen in a directory, or to another database',
    arguments: '[directory] [name]',
    details:
      'The directory is ./db_dir and the name worsen, if they are left out. In a directory that worsen has not used, the name is that of a table.',
    examples: [{ line: 'init ./db_dir sessions', what: 'the store named sessions' }],
    place: 'prompt',
  },
  {
    name: 'list',
    summary: 'Show keys and values of a table',
    arguments: '<table>',
    examples: [{ line: 'list users', what: 'one record on each line' }],
    place: 'prompt',
  },
  {
    name: 'exit',
    summary: 'Leave the prompt',
    arguments: '',
    examples: [{ line: 'exit', what: 'as Ctrl-D does' }],
    place: 'prompt',
  },
];
