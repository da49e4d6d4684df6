/**
 * PikoDB's dictionaries: maps between the keys of objects and the shorter ones that its files have in their place.
 *
 * @module
 */
import type { Dictionary as OneToOne } from '../dictionary.ts';
import { isWellFormed } from '../validate.ts';

/**
 * A mapping of the keys of objects, at every depth, given in one direction.
 *
 * @example
 * ```ts
 * const sensors: Dictionary = { deflate: { sensor: 's', temperature: 't' } };
 * ```
 */
export interface Dictionary {
  /** From long keys to short ones. */
  deflate?: Record<string, string>;
  /** From short keys to long ones. */
  inflate?: Record<string, string>;
}

/** A dictionary in both directions. */
export interface ProcessedDictionary {
  /** From long keys to short ones. */
  deflate: Record<string, string>;
  /** From short keys to long ones. */
  inflate: Record<string, string>;
}

/**
 * The dictionary in both directions. Where two keys are mapped to one, the last of them is the inverse.
 *
 * @throws Error if it has neither direction, or both
 *
 * @example
 * ```ts
 * processDictionary({ deflate: { sensor: 's' } }); // { deflate: { sensor: 's' }, inflate: { s: 'sensor' } }
 * ```
 */
export function processDictionary(dict: Dictionary): ProcessedDictionary {
  const { deflate, inflate } = dict;
  if (deflate && inflate) {
    throw new Error(
      'Dictionary should provide only one of deflate or inflate (not both). The inverse will be auto-generated.',
    );
  }
  if (deflate) return { deflate, inflate: inverse(deflate) };
  if (inflate) return { deflate: inverse(inflate), inflate };
  throw new Error('Dictionary must provide either deflate or inflate mapping');
}

/**
 * A copy of a value with the keys of its objects mapped, at every depth and inside of arrays. Keys that the mapping does not
 * have stay, also those that every object inherits (`constructor`).
 *
 * @example
 * ```ts
 * transformValue([{ sensor: 'A' }], { sensor: 's' }); // [{ s: 'A' }]
 * ```
 */
// biome-ignore lint/suspicious/noExplicitAny: PikoDB's own signature.
export function transformValue(value: any, mapping: Record<string, string>): any {
  return mapKeys(value, mapping, () => undefined);
}

/** The same, but `onClash` is told of each object of which two keys would become one. */
export function mapKeys(value: unknown, mapping: Record<string, string>, onClash: (key: string) => void): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => mapKeys(item, mapping, onClash));
  const members = new Map<string, unknown>();
  for (const [key, member] of Object.entries(value)) {
    const mapped = (Object.hasOwn(mapping, key) && mapping[key]) || key;
    if (members.has(mapped)) onClash(mapped);
    members.set(mapped, mapKeys(member, mapping, onClash));
  }
  return Object.fromEntries(members);
}

/** Whether an object anywhere in a value has a key of the mapping. */
export function hasKeyOf(value: unknown, mapping: Record<string, string>): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value)) return value.some((item) => hasKeyOf(item, mapping));
  return Object.entries(value).some(([key, member]) => Object.hasOwn(mapping, key) || hasKeyOf(member, mapping));
}

/** The part of a dictionary that loses nothing: the pairs that are each other's inverse. Keys outside of it stay as they are. */
export function lossless({ deflate, inflate }: ProcessedDictionary): OneToOne {
  const isPair = ([long, short]: [string, string]) =>
    inflate[short] === long && [long, short].every((key) => key !== '' && isWellFormed(key));
  return { deflate: Object.fromEntries(Object.entries(deflate).filter(isPair)) };
}

function inverse(mapping: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(mapping).map(([from, to]) => [to, from]));
}
