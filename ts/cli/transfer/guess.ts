/**
 * What kind of store or file something is, by its name and its first bytes.
 *
 * @module
 */
import { closeSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';

export type Kind =
  | 'pikodb'
  | 'persistency'
  | 'worsen'
  | 'persistent-kv'
  | 'jsonl'
  | 'csv'
  | 'level'
  | 'lmdb'
  | 'sqlite';

export const KINDS: readonly Kind[] = [
  'pikodb',
  'persistency',
  'worsen',
  'persistent-kv',
  'jsonl',
  'csv',
  'level',
  'lmdb',
  'sqlite',
];

const ENDINGS: readonly (readonly [RegExp, Kind])[] = [
  [/\.(?:jsonl|ndjson)$/i, 'jsonl'],
  [/\.csv$/i, 'csv'],
  [/\.store\.db$/, 'worsen'],
  [/\.mdb$/, 'lmdb'],
];

const SQLITE = 'SQLite format 3\0';

/** The kind of what is at `path`; `cairndb` for a database of our own, `undefined` if it cannot be told. */
export function guess(path: string): Kind | 'cairndb' | undefined {
  const stat = statSync(path);
  if (stat.isDirectory()) return kindOfDirectory(path);
  // What is read of a pipe to look at it is gone.
  return stat.isFile() ? kindOfFile(path) : undefined;
}

function kindOfDirectory(path: string): Kind | 'cairndb' | undefined {
  const names = readdirSync(path);
  const has = (pattern: RegExp) => names.some((name) => pattern.test(name));
  if (has(/^data\.mdb$/)) return 'lmdb';
  if (has(/^CURRENT$/) && has(/^MANIFEST-/)) return 'level';
  if (has(/^entries\.db$/) && has(/^data\.db$/)) return 'persistency';
  if (has(/^snapshot_\d+_\d+-of-\d+_(?:diff|full|pending)\.bin$/)) return 'persistent-kv';
  if (has(/\.store\.db$/)) return 'worsen';
  if (has(/^[0-9a-f]+\.(?:manifest|journal|stone)$/)) return 'cairndb';
  const files = names.filter((name) => !name.startsWith('.')).map((name) => join(path, name));
  return files.length > 0 && files.every((file) => statSync(file).isFile() && isPikodb(head(file)))
    ? 'pikodb'
    : undefined;
}

function kindOfFile(path: string): Kind | undefined {
  const start = head(path);
  if (start.startsWith(SQLITE)) return 'sqlite';
  const known = ENDINGS.find(([ending]) => ending.test(basename(path)));
  if (known !== undefined) return known[1];
  if (/^(?:\u00ef\u00bb\u00bf)?\s*\{/.test(start)) return 'jsonl';
  return /^\[\[/.test(start) ? 'pikodb' : undefined;
}

/** A table of PikoDB is a list of pairs, or empty before its first write. */
function isPikodb(start: string): boolean {
  return start === '' || /^\[(?:\[|\])/.test(start);
}

/** The first bytes of a file. */
function head(path: string): string {
  const bytes = Buffer.alloc(SQLITE.length);
  const file = openSync(path, 'r');
  try {
    return bytes.toString('latin1', 0, readSync(file, bytes));
  } finally {
    closeSync(file);
  }
}
