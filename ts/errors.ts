/**
 * The one error class. Its `code` is stable and part of the interface; the message is for people.
 *
 * @module
 */

/** What went wrong, as a stable text. New codes may be added in later versions. */
export type ErrorCode =
  /** Another process holds the directory; the message has its process id. */
  | 'ERR_CAIRN_LOCKED'
  /** Bytes on disk fail their check; `path` and `offset` say which. */
  | 'ERR_CAIRN_CORRUPT'
  /** The instance is not open: before `start()`, or after `close()`. */
  | 'ERR_CAIRN_CLOSED'
  /** An earlier write or sync failed; writes are refused until the database is closed and opened again. */
  | 'ERR_CAIRN_FAILED'
  /** The operating system refused an operation. */
  | 'ERR_CAIRN_IO'
  /** No space is left; writing works again once there is some. */
  | 'ERR_CAIRN_FULL'
  /** The directory was written by a newer version of CairnDB. */
  | 'ERR_CAIRN_FORMAT'
  /** A stored value is of a kind that this version does not know. */
  | 'ERR_CAIRN_UNSUPPORTED'
  /** `databaseDirectory` cannot be used: a file, unreadable, read-only, or not a database. */
  | 'ERR_CAIRN_DIRECTORY'
  /** `ifVersion` did not match; `actualVersion` says what is there. */
  | 'ERR_CAIRN_CONFLICT'
  /** A table name that cannot be one. */
  | 'ERR_CAIRN_INVALID_TABLE'
  /** A key that cannot be one. */
  | 'ERR_CAIRN_INVALID_KEY'
  /** A value that cannot be stored; the message has the path of the offending field. */
  | 'ERR_CAIRN_INVALID_VALUE'
  /** An expiration or a time to live that is not a time. */
  | 'ERR_CAIRN_INVALID_EXPIRATION'
  /** A dictionary that is not a one-to-one mapping of strings. */
  | 'ERR_CAIRN_INVALID_DICTIONARY'
  /** No dictionary of this name was given to this instance. */
  | 'ERR_CAIRN_UNKNOWN_DICTIONARY'
  /** An option that does not exist, or has a wrong value. */
  | 'ERR_CAIRN_INVALID_OPTIONS'
  /** A batch that is not a list of operations. */
  | 'ERR_CAIRN_INVALID_BATCH'
  /** A range whose bounds are not strings, or that says the same thing twice. */
  | 'ERR_CAIRN_INVALID_RANGE'
  /** A value or a batch over its limit. */
  | 'ERR_CAIRN_TOO_LARGE'
  /** An instance that was opened with `access: 'readonly'` does not write. */
  | 'ERR_CAIRN_READONLY'
  /** What was to be read beside a writer had been replaced and removed before it could be read; begin again. */
  | 'ERR_CAIRN_BEHIND'
  /** The native addon could not be loaded; the message says what was tried. */
  | 'ERR_CAIRN_ADDON'
  /** A defect of CairnDB itself. */
  | 'ERR_CAIRN_INTERNAL';

/** What a {@link CairnError} carries besides code and message. */
export interface ErrorDetails {
  readonly path?: string | undefined;
  readonly offset?: number | undefined;
  readonly actualVersion?: number | undefined;
  readonly cause?: unknown;
}

const BRAND = Symbol.for('cairndb.CairnError');

/**
 * Every error that CairnDB throws or rejects with.
 *
 * `instanceof` holds across copies of the package (an ES module and a CommonJS one in the same program, say).
 *
 * @example
 * ```ts
 * try {
 *   await db.write('users', 'alice', user, { ifVersion: 3 });
 * } catch (error) {
 *   if (!(error instanceof CairnError) || error.code !== 'ERR_CAIRN_CONFLICT') throw error;
 *   console.log('somebody was faster: version', error.actualVersion);
 * }
 * ```
 */
export class CairnError extends Error {
  /** What went wrong, as a stable text. */
  readonly code: ErrorCode;
  /** The file that the error is about. Only there when there is one. */
  declare readonly path?: string;
  /** The byte in that file where the damage begins. Only there when it is known. */
  declare readonly offset?: number;
  /** The version that the record has, 0 for no record. Only there when `code` is `ERR_CAIRN_CONFLICT`. */
  declare readonly actualVersion?: number;

  constructor(code: ErrorCode, message: string, { cause, path, offset, actualVersion }: ErrorDetails = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    if (path !== undefined) this.path = path;
    if (offset !== undefined) this.offset = offset;
    if (actualVersion !== undefined) this.actualVersion = actualVersion;
  }

  static {
    Object.defineProperty(CairnError.prototype, 'name', { value: 'CairnError', configurable: true, writable: true });
    Object.defineProperty(CairnError.prototype, BRAND, { value: true });
  }

  /** Knows errors of other copies of this package by their brand. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    // Every error of ours has the brand, so a subclass needs the ordinary rule.
    // biome-ignore lint/complexity/noThisInStatic: `this` is the class on the right of instanceof, maybe a subclass.
    if (this !== CairnError) return Function.prototype[Symbol.hasInstance].call(this, value);
    return typeof value === 'object' && value !== null && BRAND in value;
  }
}

/** What `call` returns, or throws as an error of ours. */
export function translated<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw fromNative(error);
  }
}

/**
 * The error of a native call as ours, with the caller's stack: an error that was made in native code, or in a callback
 * of it, has none that is of use. The native one stays reachable as `cause`.
 */
export function fromNative(error: unknown): CairnError {
  if (error instanceof CairnError) return error;
  const { code, message, path, offset } = error as { code?: unknown; message?: string; path?: string; offset?: number };
  if (typeof code === 'string' && code.startsWith('ERR_CAIRN_')) {
    return new CairnError(code as ErrorCode, String(message), { path, offset, cause: error });
  }
  return new CairnError('ERR_CAIRN_INTERNAL', `This is a defect of CairnDB, please report it: ${message ?? error}`, {
    cause: error,
  });
}
