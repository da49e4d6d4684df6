/**
 * What any process commits to a directory, as it is committed.
 *
 * @module
 */
import { CairnError, fromNative, translated } from './errors.ts';
import { type NativeWatch, native, type RawChange } from './native.ts';
import { resolveDirectory } from './options.ts';
import { unpacked } from './reader.ts';
import { Shapes } from './shapes.ts';
import { Unpacker } from './unpack.ts';
import { checkNames, describe, isOptionsObject } from './validate.ts';

/** How long it is waited until the journal is looked at again when there was nothing new in it, in milliseconds. */
const INTERVAL = 50;

/** What `CairnDB.watch()` takes. */
export interface WatchOptions {
  /** Ends the watch: whoever waits for the next change is rejected with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * A change that was committed.
 *
 * All changes of a commit follow each other, in the order of the commits. One is told once it has reached the operating
 * system, so those of level `eventual` up to `flushInterval` later. The removal of an expired record is a `delete`. If a
 * process is killed in the middle of a commit, that may be told and yet be undone; then the watch ends with
 * `ERR_CAIRN_BEHIND`.
 *
 * @example
 * ```ts
 * for await (const change of CairnDB.watch('./data')) {
 *   if (change.type === 'put') console.log(change.table, change.key, change.value);
 * }
 * ```
 */
// biome-ignore lint/suspicious/noExplicitAny: what is read is whatever was written, and only the caller knows its type.
export type Change<T = any> =
  | {
      readonly type: 'put';
      readonly table: string;
      readonly key: string;
      readonly value: T;
      readonly version: number;
      /** When it was written, in milliseconds since the epoch. */
      readonly timestamp: number;
      /** When it expires, in milliseconds since the epoch; null: never. */
      readonly expiration: number | null;
    }
  | {
      readonly type: 'delete';
      readonly table: string;
      readonly key: string;
      readonly value: undefined;
      readonly version: 0;
      /** When it was deleted, in milliseconds since the epoch. */
      readonly timestamp: number;
      readonly expiration: null;
    }
  | { readonly type: 'deleteTable'; readonly table: string };

/** Begins at once to open the watch, and gives what it tells. */
export function watch(directory: string, options: unknown): AsyncGenerator<Change, void, void> {
  const opening = open(directory, options);
  // Who never asks for a change is not told of an error either.
  opening.catch(() => undefined);
  return changes(opening);
}

interface Opened {
  readonly watch: NativeWatch;
  readonly signal: AbortSignal | undefined;
}

async function open(directory: string, options: unknown = {}): Promise<Opened> {
  if (!isOptionsObject(options)) throw invalid(`The options of watch() are ${describe(options)}; give an object.`);
  checkNames(options, ['signal'], 'ERR_CAIRN_INVALID_OPTIONS', 'option of watch()');
  const { signal } = options;
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw invalid(`signal is ${describe(signal)}; give an AbortSignal.`);
  }
  const path = resolveDirectory('directory', directory);
  signal?.throwIfAborted();
  try {
    return { watch: await native.watch(path), signal };
  } catch (error) {
    throw fromNative(error);
  }
}

async function* changes(opening: Promise<Opened>): AsyncGenerator<Change, void, void> {
  const { watch, signal } = await opening;
  const unpacker = new Unpacker(
    new Shapes({
      shapes: (first) => watch.shapes(first),
      dictionary: (number) => watch.dictionary(number),
      // Nothing is packed here.
      defineShape: () => -1,
    }),
  );
  try {
    for (;;) {
      signal?.throwIfAborted();
      const found = translated(() => watch.next());
      for (const change of found) {
        yield decoded(change, unpacker);
        signal?.throwIfAborted();
      }
      if (found.length === 0) await pause(signal);
    }
  } finally {
    watch.close();
  }
}

function decoded({ table, key, value, version, timestamp, expiration }: RawChange, unpacker: Unpacker): Change {
  if (key === null) return { type: 'deleteTable', table };
  if (value === null) return { type: 'delete', table, key, value: undefined, version: 0, timestamp, expiration: null };
  return { type: 'put', table, key, value: unpacked(value, unpacker), version, timestamp, expiration };
}

/** Waits, but no longer than until the signal. Somebody waits for a change, so the process goes on meanwhile. */
function pause(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, INTERVAL);
    signal?.addEventListener('abort', end);
  });
}

function invalid(message: string): CairnError {
  return new CairnError('ERR_CAIRN_INVALID_OPTIONS', message);
}
