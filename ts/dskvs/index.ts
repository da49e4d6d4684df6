/**
 * A replacement for dskvs: its interface, on a database of CairnDB, with what dskvs wrote taken over.
 *
 * @module
 */
export { CairnError } from '../errors.ts';
export type { RefusedFile, Removal, TakenFile, TakeoverReport } from '../takeover.ts';
export { FileError, KeyError, PathError, StoreError } from './errors.ts';
export { Store, type StoreOptions } from './store.ts';
