/**
 * Commands that change records.
 *
 * @module
 */
import type { CommandSpec } from '../command.ts';

export const WRITING: readonly CommandSpec[] = [
  {
    name: 'set',
    summary: 'Write a value',
    arguments: '<table> <key> <value>',
    options: {
      string: { type: 'boolean', description: 'The value is text, not JSON' },
      ttl: { type: 'string', value: 'span', description: 'The record expires after it: 500ms, 90s, 15min, 12h, 30d' },
      'if-version': {
        type: 'string',
        value: 'number',
        description: 'Only if the record has this version; 0: if there is none',
      },
    },
    details:
      'The value is JSON, also in the tagged form of export, or - to read it from stdin. The database and the table are made if there are none. The write is synced to the disk. If the version is another one, nothing is written, and the exit code is 1.',
    examples: [
      { line: `cairn ./data set users alice '{"name":"Alice"}'`, what: 'JSON' },
      { line: 'cairn ./data set notes today --string "all well" --ttl 1d', what: 'text, for a day' },
      { line: 'cairn ./data set files logo - < logo.json', what: 'from stdin' },
    ],
  },
  {
    name: 'del',
    summary: 'Delete a record',
    arguments: '<table> <key>',
    details: 'Exits with 1 if there is no such record.',
    examples: [{ line: 'cairn ./data del users alice', what: 'one record' }],
  },
];
