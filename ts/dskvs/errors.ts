/**
 * The four kinds of errors of dskvs. They are CairnErrors too, with a stable `code`.
 *
 * @module
 */
import { CairnError } from '../errors.ts';

/** The store is not loaded, or was closed. `code` is `ERR_CAIRN_CLOSED`. */
export class StoreError extends CairnError {
  constructor(message: string) {
    super('ERR_CAIRN_CLOSED', message);
  }
}

/** A file of dskvs is damaged, or none. `code` is `ERR_CAIRN_CORRUPT`, and `path` the file. */
export class FileError extends CairnError {
  constructor(message: string, path: string) {
    super('ERR_CAIRN_CORRUPT', `${message}, file=${path}`, { path });
  }
}

/** The path of the store cannot be used. `code` is that of the error of CairnDB, which is the `cause`. */
export class PathError extends CairnError {
  constructor(message: string, cause: CairnError) {
    super(cause.code, `${message}: ${cause.message}`, { cause, path: cause.path });
  }
}

/** The key cannot be one, or is none for this method. `code` is `ERR_CAIRN_INVALID_KEY`. */
export class KeyError extends CairnError {
  constructor(message: string, key: string) {
    super('ERR_CAIRN_INVALID_KEY', `${message}, key=${key}`);
  }
}

for (const type of [StoreError, FileError, PathError, KeyError]) {
  Object.defineProperty(type.prototype, 'name', { value: type.name, configurable: true, writable: true });
}
