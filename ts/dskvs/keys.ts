/**
 * Full keys: `collection/member`, where only the first separator counts.
 *
 * @module
 */
import { keyOf, tableOf } from '../names.ts';
import { describe } from '../validate.ts';
import { KeyError } from './errors.ts';

/** Between the collection and the member, on every system. */
export const SEPARATOR = '/';

/** Where a member is stored. */
export interface Place {
  readonly table: string;
  readonly key: string;
}

/** The table of a collection. */
export const tableOfCollection = tableOf;
/** The key of a member in it, which is given without its separator. */
export const keyOfMember = keyOf;

/** Where the member with this full key is. `method` is the one that was called, for the message. */
export function placeOfMember(fullKey: unknown, method: string): Place {
  const [collection, member] = split(fullKey);
  if (member === '') throw new KeyError(`key requested a ${method} on a collection, wrong method`, describe(fullKey));
  return { table: tableOfCollection(collection), key: keyOfMember(member) };
}

/** The table of the collection with this key, with or without a separator at its end. */
export function tableOfKey(key: unknown, method: string): string {
  const [collection, member] = split(key);
  if (member !== '') throw new KeyError(`key requested a ${method} for only a member, wrong method`, describe(key));
  return tableOfCollection(collection);
}

function split(fullKey: unknown): [collection: string, member: string] {
  if (typeof fullKey !== 'string') throw new KeyError('key is not a string', describe(fullKey));
  if (fullKey === '') throw new KeyError('key is empty', '<empty string>');
  const at = fullKey.indexOf(SEPARATOR);
  if (at === 0) throw new KeyError('key has no collection identifier', describe(fullKey));
  return at < 0 ? [fullKey, ''] : [fullKey.slice(0, at), fullKey.slice(at + 1)];
}
