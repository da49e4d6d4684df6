/**
 * PikoDB's named types.
 *
 * @module
 */
import type { Dictionary } from './dictionary.ts';

/** What `new PikoDB()` takes. */
export interface DatabaseOptions {
  /** The directory of the database, made when it is missing. The records are in `.cairndb` in it. */
  databaseDirectory: string;
  /** Dictionaries by name. Those that PikoDB's tables were written with have to be here when they are taken over. */
  dictionaries?: { [name: string]: Dictionary };
  /** Whether a write is acknowledged only once the disk has it. Default false: once the operating system has it. */
  durableWrites?: boolean;
  /**
   * The only dictionary of PikoDB 0.0.2 and 0.0.3, whose files do not say that they were written with it. It is used for
   * the take-over of such files, and for nothing else.
   */
  dictionary?: Dictionary;
}

/** A value with what the database knows about it. */
export interface DatabaseRecord {
  // biome-ignore lint/suspicious/noExplicitAny: PikoDB's own type.
  value: any;
  /** 1 for the first write of a key, one more for each further one. */
  version: number;
  /** When it was written, in milliseconds since the epoch. */
  timestamp: number;
  /** When it expires, in milliseconds since the epoch; null: never. */
  expiration: number | null;
  /** The dictionary that it was written with, if there was one. */
  dictionaryName?: string;
}
