/**
 * An import, from the first page of a source to the last.
 *
 * @module
 */
import type { CairnDB } from '../../database.ts';
import type { Source } from './record.ts';
import { Writer, type Written } from './writer.ts';

/** What an import is told, and tells. */
export interface ImportOptions {
  /** Opens the database, once there is something to write: a source that cannot be read leaves no new one behind. */
  readonly open: () => Promise<CairnDB>;
  /** Ends the import between two batches, with its reason. */
  readonly signal: AbortSignal;
  /** How much of the source has been written, in bytes. */
  readonly onProgress: (done: number, total: number) => void;
}

/**
 * Puts all records of a source into a database. When this resolves they are on the disk; when it rejects, whole batches of
 * them may be there, from the beginning of the source on.
 */
export async function importFrom(source: Source, { open, signal, onProgress }: ImportOptions): Promise<Written> {
  let opened: { readonly db: CairnDB; readonly writer: Writer } | undefined;
  const begin = async () => {
    const db = await open();
    return { db, writer: new Writer(db) };
  };
  for await (const page of source.pages) {
    signal.throwIfAborted();
    opened ??= await begin();
    await opened.writer.write(page, signal);
    onProgress(page.done, source.total);
  }
  signal.throwIfAborted();
  const { db, writer } = opened ?? (await begin());
  await db.flush();
  return writer.written;
}
