/**
 * What help says about import and export.
 *
 * @module
 */
import type { CommandSpec } from '../command.ts';

const IMPORT: CommandSpec = {
  name: 'import',
  summary: 'Import records from a file or another store',
  arguments: '[source]',
  options: {
    from: {
      type: 'string',
      value: 'kind',
      description:
        'What the source is: jsonl, csv, sqlite, level, lmdb, pikodb, persistency, worsen or persistent-kv. Default: by its name and its first bytes',
    },
    table: {
      type: 'string',
      value: 'name',
      description: 'Only this table; of a source that has no tables, the table that it becomes',
    },
    key: {
      type: 'string',
      value: 'column',
      description: 'csv: the column that is the key. jsonl: lines are values, and this member of them is the key',
    },
    types: {
      type: 'string',
      value: 'list',
      description:
        'csv: auto, or what columns are: age=number,born=date (string, number, boolean, json, date, bigint, auto)',
    },
    delimiter: { type: 'string', value: 'character', description: 'csv: what separates columns. Default: a comma' },
    keys: {
      type: 'string',
      value: 'form',
      description: 'Keys that are bytes (persistent-kv, level, sqlite): utf8, hex, or u64 for integers. Default: utf8',
    },
    encoding: { type: 'string', value: 'name', description: 'level: values are utf8, json or buffer. Default: utf8' },
    database: { type: 'string', value: 'name', description: 'lmdb: the name of the database inside of the file' },
    dictionaries: {
      type: 'string',
      value: 'file',
      description: 'pikodb: a JSON file with its dictionaries, as { "name": { "deflate": { … } } }',
    },
  },
  details:
    'Records are put by their keys, in batches that are there whole or not at all. After a stop, run the import again: it begins anew and gives the same.\n\nStandard input is read if the source is - or left out; then --from is jsonl or csv.',
  examples: [
    { line: 'cairn ./data import users.jsonl', what: 'what export wrote' },
    { line: 'cairn ./data import cities.csv --table cities --key id --types auto', what: 'a table of CSV' },
    { line: 'cairn ./data import ./old --from pikodb', what: 'all tables of a directory of PikoDB' },
    { line: 'zcat users.jsonl.gz | cairn ./data import --from jsonl', what: 'from another program' },
  ],
};

const EXPORT: CommandSpec = {
  name: 'export',
  summary: 'Export records as JSON lines or CSV',
  arguments: '',
  options: {
    table: { type: 'string', multiple: true, value: 'name', description: 'Only this table, or these' },
    prefix: { type: 'string', value: 'text', description: 'Only records whose keys begin like this' },
    format: {
      type: 'string',
      value: 'name',
      description: 'jsonl, which is exact, or csv, for one table. Default: by the name of the output, else jsonl',
    },
    output: {
      type: 'string',
      short: 'o',
      value: 'file',
      description: 'Write to this file, which is there once all of it is. Default: standard output',
    },
  },
  details: 'Everything is from one moment, whatever is written meanwhile. Records that have expired are left out.',
  examples: [
    { line: 'cairn ./data export --output all.jsonl', what: 'everything' },
    {
      line: 'cairn ./data export --table users --prefix eu/ | gzip > users.jsonl.gz',
      what: 'a part, to another program',
    },
    { line: 'cairn ./data export --table cities --output cities.csv', what: 'a table as CSV' },
  ],
};

export const MOVING: readonly CommandSpec[] = [IMPORT, EXPORT];
