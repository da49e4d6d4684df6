/**
 * A LevelDB directory, as `classic-level` and `level` write it, as a source.
 *
 * @module
 */
import { NotDecodable } from '../jsonl.ts';
import { type Change, InputError, PAGE_BYTES, PAGE_RECORDS, type Page, type Source, unreadable } from '../record.ts';
import { installed } from './installed.ts';
import { type KeyForm, keyOfBytes } from './keys.ts';

/** What the values are: text, JSON, or bytes as they stand there. */
export type LevelEncoding = 'utf8' | 'json' | 'buffer';

export const LEVEL_ENCODINGS: readonly LevelEncoding[] = ['utf8', 'json', 'buffer'];

export interface LevelOptions {
  readonly table: string;
  readonly keys: KeyForm;
  readonly encoding: LevelEncoding;
}

interface LevelDatabase {
  open(options: { createIfMissing: boolean }): Promise<void>;
  close(): Promise<void>;
  iterator(options: object): LevelIterator;
}

interface LevelIterator {
  nextv(count: number): Promise<[key: Buffer, value: Buffer][]>;
  close(): Promise<void>;
}

type LevelConstructor = new (path: string, options: object) => LevelDatabase;

export function levelSource(path: string, options: LevelOptions): Source {
  return { total: 0, pages: pages(path, options), notices: [] };
}

async function* pages(path: string, options: LevelOptions): AsyncGenerator<Page, void, void> {
  const { module } = await installed(['classic-level', 'level'], 'A LevelDB directory');
  const { ClassicLevel, Level } = module as { ClassicLevel?: LevelConstructor; Level?: LevelConstructor };
  const db = new ((ClassicLevel ?? Level) as LevelConstructor)(path, {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
  });
  try {
    await db.open({ createIfMissing: false });
  } catch (error) {
    const { message, cause } = error as Error;
    const why = cause instanceof Error ? cause.message : message;
    throw new InputError(
      `${path} cannot be opened as LevelDB: ${why}. End the program that has it open, if there is one.`,
      {
        cause: error,
      },
    );
  }
  const iterator = db.iterator({ keyEncoding: 'buffer', valueEncoding: 'buffer', highWaterMarkBytes: PAGE_BYTES });
  try {
    for (;;) {
      const entries = await iterator.nextv(PAGE_RECORDS);
      if (entries.length === 0) return;
      yield { changes: entries.map((entry) => changeOf(path, entry, options)), place: () => path, done: 0 };
    }
  } finally {
    await iterator.close();
    await db.close();
  }
}

function changeOf(path: string, [bytes, value]: [Buffer, Buffer], { table, keys, encoding }: LevelOptions): Change {
  try {
    const key = keyOfBytes(bytes, keys);
    return { type: 'put', table, key, value: decoded(key, value, encoding) };
  } catch (error) {
    throw error instanceof NotDecodable ? unreadable(path, error.message, '') : error;
  }
}

function decoded(key: string, bytes: Buffer, encoding: LevelEncoding): unknown {
  if (encoding === 'buffer') return bytes;
  const text = textOf(key, bytes);
  if (encoding === 'utf8') return text;
  try {
    return JSON.parse(text);
  } catch (error) {
    const why = (error as Error).message;
    throw new NotDecodable(`the value of ${JSON.stringify(key)} is not JSON (${why}); give another --encoding`);
  }
}

function textOf(key: string, bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new NotDecodable(`the value of ${JSON.stringify(key)} is not UTF-8; import with --encoding buffer`);
  }
}
