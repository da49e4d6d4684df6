/**
 * Commands that look inside.
 *
 * @module
 */
import type { CommandOption, CommandSpec } from '../command.ts';

/** Which keys of a table. */
const RANGE: Readonly<Record<string, CommandOption>> = {
  prefix: { type: 'string', value: 'text', description: 'Only keys that begin like this' },
  from: { type: 'string', value: 'key', description: 'From this key on' },
  to: { type: 'string', value: 'key', description: 'Up to this key, itself included' },
  limit: { type: 'string', value: 'number', description: 'At most so many' },
  reverse: { type: 'boolean', description: 'From the last key to the first' },
};

export const READING: readonly CommandSpec[] = [
  {
    name: 'tables',
    summary: 'List the names of the tables',
    arguments: '',
    examples: [
      { line: 'cairn ./data tables', what: 'one name on each line' },
      { line: 'cairn ./data tables --json', what: 'one JSON string on each line' },
    ],
  },
  {
    name: 'ls',
    summary: 'List the tables with records and sizes, or the records of a table',
    arguments: '[table]',
    options: RANGE,
    details:
      'Of a table: its keys with version, age, size and when they expire. The size is that of the value as it is stored. With --json each line has "table", "records" and "bytes" (of live keys and values, those that have expired and are not removed yet included); or "key", "version", "timestamp" and "expiration" (milliseconds since the epoch; null: never), "bytes".',
    examples: [
      { line: 'cairn ./data ls', what: 'all tables' },
      { line: 'cairn ./data ls users --prefix al --limit 20', what: 'twenty keys that begin with al' },
    ],
  },
  {
    name: 'get',
    summary: 'Show the value of a key',
    arguments: '<table> <key>',
    details:
      'On a terminal the value is in colours, and bounded; in a pipe it is whole. With --json one document has "value" (in the tagged form of export), "version", "timestamp", "expiration" and "dictionary". Exits with 1 if there is no such record.',
    examples: [
      { line: 'cairn ./data get users alice', what: 'for people' },
      { line: 'cairn ./data get users alice --json', what: 'the whole record, for programs' },
    ],
  },
  {
    name: 'keys',
    summary: 'List the keys of a table',
    arguments: '<table>',
    options: RANGE,
    details:
      'In the order of their UTF-8 bytes. A key with control characters, white space, a backslash, or a quotation mark or # in front is shown as a JSON string, and can be typed like that in the prompt. With --json each line is a JSON string.',
    examples: [
      { line: 'cairn ./data keys users', what: 'all keys' },
      { line: 'cairn ./data keys log --reverse --limit 10', what: 'the last ten' },
    ],
  },
  {
    name: 'count',
    summary: 'Count the records of a table, or of all',
    arguments: '[table]',
    details: 'Records that have expired are not counted. With --json: {"records":4}.',
    examples: [
      { line: 'cairn ./data count', what: 'all records' },
      { line: 'cairn ./data count users', what: 'those of a table' },
    ],
  },
  {
    name: 'stats',
    summary: 'Show what takes space, and what it costs',
    arguments: '',
    details:
      'For each table its records, the bytes of live keys and values, the dead bytes (of its files, what is not live: old versions, deletions, heads and indexes), its stones (files), and what is not in them yet. Below: the journal that a start would read, amplifications, and files that will be removed. In between, if records expire: how many within the coming hour, day and week, and later, each in one of these; one that was written again counts until its old version is merged away. With --json what stats() of the package resolves to, and "expirations" of each table.',
    examples: [
      { line: 'cairn ./data stats', what: 'with bars' },
      { line: 'cairn ./data stats --json', what: 'all figures, in bytes' },
    ],
  },
  {
    name: 'watch',
    summary: 'Show changes as they are committed, until Ctrl-C',
    arguments: '[table]',
    details:
      'Changes of any process, from now on, in their order. With --json each line is a change: "type" (put, delete, deleteTable), "table", and "key", "value" (in the tagged form of export), "version", "timestamp", "expiration".',
    examples: [
      { line: 'cairn ./data watch', what: 'all tables' },
      { line: 'cairn ./data watch users --json', what: 'one table, for programs' },
    ],
  },
];
