/**
 * What moves into a database and out of it.
 *
 * @module
 */
/** A record that a source has. What is left out is as with a write: version and time are the next ones. */
export interface MovingRecord {
  readonly table: string;
  readonly key: string;
  readonly value: unknown;
  readonly version?: number | undefined;
  /** Milliseconds since the epoch. */
  readonly timestamp?: number | undefined;
  /** Milliseconds since the epoch; null: never. */
  readonly expiration?: number | null | undefined;
  /** The name of a dictionary that was defined before; null: none. */
  readonly dictionary?: string | null | undefined;
}

/** One step of an import. */
export type Change =
  | ({ readonly type: 'put' } & MovingRecord)
  | { readonly type: 'delete'; readonly table: string; readonly key: string }
  /** Makes a table, which may stay empty. */
  | { readonly type: 'table'; readonly table: string }
  | { readonly type: 'dictionary'; readonly name: string; readonly deflate: Readonly<Record<string, string>> };

/** Some changes of a source, about 1 MiB at most unless one alone is larger. */
export interface Page {
  readonly changes: readonly Change[];
  /** Where a change stands, for an error about it: `users.jsonl, line 12`. */
  readonly place: (index: number) => string;
  /** How much of the source has been read after it, in bytes. */
  readonly done: number;
}

/** Another store or a file, to be read once. */
export interface Source {
  /** How much there is to read, in bytes; 0 if that is unknown. */
  readonly total: number;
  readonly pages: AsyncIterable<Page>;
  /** What was left out or is to be known besides, once all pages were read. */
  readonly notices: readonly string[];
}

/** Something in a source cannot be imported. The message says where, why, and what to do. */
export class InputError extends Error {}

export function unreadable(
  place: string,
  problem: string,
  advice = 'Correct it, and run the import again.',
  cause?: unknown,
): InputError {
  return new InputError(`${place}: ${problem}. ${advice}`, { cause });
}

/** About how much of a source is gathered for one page, in bytes. */
export const PAGE_BYTES = 1024 * 1024;
/** The most changes of a page, where their size is unknown. */
export const PAGE_RECORDS = 256;
