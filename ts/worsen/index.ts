/**
 * A replacement for worsen: its interface, on a database of CairnDB, with the files of worsen taken over.
 *
 * @module
 */
export { CairnError } from '../errors.ts';
export type { RefusedFile, Removal, TakenFile, TakeoverReport } from '../takeover.ts';
export { AllowedExecution } from './executions.ts';
export { type PersistentRecord, PersistentStore, type PersistentStoreOptions } from './store.ts';
