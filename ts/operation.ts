/**
 * Operations: what `write`, `delete` and `batch` ask for, checked and encoded. All code of the user that takes part
 * (getters, toJSON, proxies) runs here, before anything is queued: it may fail, and it may call the database.
 *
 * @module
 */
import type { Dictionaries, Mapping } from './dictionary.ts';
import { CairnError } from './errors.ts';
import type { Packed, Packer } from './pack.ts';
import type { Shapes } from './shapes.ts';
import { type Terms, termsOf, type WriteOptions } from './terms.ts';
import { checkKey, checkNames, checkTable, describe, isOptionsObject } from './validate.ts';

/** One operation on one key. Without `value` it is a delete. */
export interface Operation {
  readonly table: string;
  readonly key: string;
  readonly value: Packed | undefined;
  readonly expiration: number | undefined;
  readonly mapping: Mapping | undefined;
  readonly ifVersion: number | undefined;
  /** What the record was where it comes from, and stays. */
  readonly origin: Origin | undefined;
}

/** The version of a record, at least 1, and when it was written, in milliseconds since the epoch. Whole numbers. */
export interface Origin {
  readonly version: number;
  readonly timestamp: number;
}

/** One operation of a `batch()`. */
export type BatchOperation =
  | ({ readonly type: 'put'; readonly table: string; readonly key: string; readonly value: unknown } & Omit<
      WriteOptions,
      'durability'
    >)
  | { readonly type: 'del'; readonly table: string; readonly key: string; readonly ifVersion?: number | undefined };

const NAMES_OF_DEL = ['type', 'table', 'key', 'ifVersion'];
const NAMES_OF_PUT = [...NAMES_OF_DEL, 'value', 'expiresAt', 'ttl', 'dictionary'];

/** What a value is packed with. */
export interface Means {
  readonly dictionaries: Dictionaries;
  readonly packer: Packer;
  /** None while the database is closed. */
  readonly shapes: Shapes | undefined;
}

export function putOperation(
  table: unknown,
  key: unknown,
  value: unknown,
  terms: Terms,
  { dictionaries, packer, shapes }: Means,
  origin?: Origin,
): Operation {
  checkTable(table);
  checkKey(key);
  const { expiration, dictionary, ifVersion } = terms;
  const mapping = dictionary === undefined ? undefined : dictionaries.find(dictionary);
  return { table, key, value: packer.pack(value, table, mapping, shapes), expiration, mapping, ifVersion, origin };
}

/** `operation` with a copy of its value, which outlives the packer's memory, and changes of a Buffer by the user. */
export function detach(operation: Operation, packer: Packer): Operation {
  const { value } = operation;
  if (value === undefined) return operation;
  const bytes = new Uint8Array((value.bytes ?? packer.bytes).subarray(value.start, value.end));
  return { ...operation, value: { ...value, bytes, start: 0, end: bytes.length } };
}

export function deleteOperation(table: unknown, key: unknown, ifVersion?: number): Operation {
  checkTable(table);
  checkKey(key);
  return { table, key, value: undefined, expiration: undefined, mapping: undefined, ifVersion, origin: undefined };
}

/** The operations of a batch. An error names the place of its operation in the list. */
export function batchOperations(batch: unknown, means: Means): Operation[] {
  if (!Array.isArray(batch)) {
    throw new CairnError('ERR_CAIRN_INVALID_BATCH', `batch() takes an array of operations, not ${describe(batch)}.`);
  }
  return Array.from(batch, (item: unknown, index) => {
    try {
      return batchOperation(item, means);
    } catch (error) {
      if (!(error instanceof CairnError)) throw error;
      throw new CairnError(error.code, `Operation ${index} of the batch: ${error.message}`, { cause: error });
    }
  });
}

function batchOperation(item: unknown, means: Means): Operation {
  if (!isOptionsObject(item)) throw invalid(`It is ${describe(item)}; give an object with type, table and key.`);
  const { type, table, key, value } = item;
  if (type !== 'put' && type !== 'del') throw invalid(`Its type is ${describe(type)}; give "put" or "del".`);
  checkNames(item, type === 'put' ? NAMES_OF_PUT : NAMES_OF_DEL, 'ERR_CAIRN_INVALID_BATCH', `member of a "${type}"`);
  const terms = termsOf(item);
  return type === 'put' ? putOperation(table, key, value, terms, means) : deleteOperation(table, key, terms.ifVersion);
}

function invalid(message: string): CairnError {
  return new CairnError('ERR_CAIRN_INVALID_BATCH', message);
}
