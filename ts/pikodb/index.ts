/**
 * PikoDB's interface on CairnDB: change the import, and nothing else.
 *
 * @module
 */

export { CairnError } from '../errors.ts';
export type { RefusedFile, Removal, TakenFile, TakeoverReport } from '../takeover.ts';
export { PikoDB } from './database.ts';
export { type Dictionary, type ProcessedDictionary, processDictionary, transformValue } from './dictionary.ts';
export type { DatabaseOptions, DatabaseRecord } from './options.ts';
