/**
 * Commands that check, repair and copy whole databases.
 *
 * @module
 */
import type { CommandSpec } from '../command.ts';

export const UPKEEP: readonly CommandSpec[] = [
  {
    name: 'verify',
    summary: 'Read everything on disk, and check it',
    arguments: '',
    details:
      'Exits with 1 if something is damaged, and says where, and which keys cannot be read because of it. With --json what verify() of the package resolves to.',
    examples: [{ line: 'cairn ./data verify', what: 'check all files' }],
  },
  {
    name: 'repair',
    summary: 'Write a new database of all that is sound in a damaged one',
    arguments: '<target>',
    details:
      'The target is a directory that is missing or empty. The damaged database is only read, and must not be in use. What was lost is listed. With --json what repair() of the package resolves to.',
    examples: [{ line: 'cairn ./data repair ./data-repaired', what: 'to a new directory' }],
  },
  {
    name: 'compact',
    summary: 'Rewrite the tables without what was overwritten, deleted or has expired',
    arguments: '',
    details:
      'The space is given back at once. Stopped, it leaves some tables rewritten and the others as they were. With --json: "before" and "after" are the bytes of tables and journal.',
    examples: [{ line: 'cairn ./data compact', what: 'make it small' }],
  },
  {
    name: 'prune',
    summary: 'Remove files that only earlier generations need',
    arguments: '',
    options: {
      keep: { type: 'string', value: 'number', description: 'Generations that stay, the present one included' },
    },
    details:
      'A generation is the database as it was after a flush or a merge; the default of a database is to keep those of the last ten seconds. With --json: "generations", "files", "bytes" that were removed.',
    examples: [{ line: 'cairn ./data prune --keep 1', what: 'all but the present one' }],
  },
  {
    name: 'backup',
    summary: 'Copy the database, as it is at one moment, to a new directory',
    arguments: '<target>',
    details:
      'The target is a directory that is missing or empty. The copy is verified as it is written; one that was interrupted is not taken for a good one. With --json: "tables", "records", "bytes".',
    examples: [{ line: 'cairn ./data backup ./backups/monday', what: 'also while it is in use' }],
  },
  {
    name: 'restore',
    summary: 'Make a database of a backup, in a new directory',
    arguments: '<target>',
    details:
      'The directory in front is that of the backup; the target is missing or empty. With --json: "tables", "records", "bytes".',
    examples: [{ line: 'cairn ./backups/monday restore ./data', what: 'into an empty place' }],
  },
  {
    name: 'bench',
    summary: 'Measure this machine and disk, for a few seconds',
    arguments: '',
    details:
      'In a temporary directory beside the given one, which is removed afterwards; the database itself is not touched. With --json each line has "what", "operations" and "seconds". Figures of different machines, or of a busy one, say nothing about each other.',
    examples: [{ line: 'cairn ./data bench', what: 'writes of each durability, reads, scans' }],
  },
];
