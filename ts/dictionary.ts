/**
 * Dictionaries: long keys of objects, stored as short ones. Each instance has its own, under names; the database keeps
 * every revision that a record was written with, so changing or removing one never changes what is read back.
 *
 * @module
 */
import { CairnError } from './errors.ts';
import { checkNames, describe, isOptionsObject, isWellFormed } from './validate.ts';

/**
 * A one-to-one mapping between the keys of objects and the shorter ones that are stored in their place, at every depth.
 * It is given in one direction, and the other one is derived.
 *
 * @example
 * ```ts
 * db.addDictionary('reading', { deflate: { sensor: 's', temperature: 't' } });
 * await db.write('readings', 'r1', { sensor: 'A', temperature: 21 }, { dictionary: 'reading' });
 * ```
 */
export type Dictionary =
  | { readonly deflate: Readonly<Record<string, string>>; readonly inflate?: undefined }
  | { readonly inflate: Readonly<Record<string, string>>; readonly deflate?: undefined };

/** A checked dictionary: pairs of a long key and the short one that stands for it. Never changed. */
export interface Mapping {
  readonly name: string;
  readonly pairs: readonly (readonly [long: string, short: string])[];
}

/** The dictionaries of one instance. */
export class Dictionaries {
  readonly #mappings = new Map<string, Mapping>();

  constructor(dictionaries: Readonly<Record<string, Dictionary>> = {}) {
    for (const [name, dictionary] of Object.entries(dictionaries)) this.add(name, dictionary);
  }

  /** Adds a dictionary, or replaces the one of this name. */
  add(name: unknown, dictionary: unknown): void {
    if (typeof name !== 'string' || name === '' || name.length > 255 || !isWellFormed(name)) {
      throw invalid(`Dictionary name ${describe(name)} is not a well-formed string of 1 to 255 characters.`);
    }
    this.#mappings.set(name, { name, pairs: pairsOf(name, dictionary) });
  }

  remove(name: unknown): boolean {
    return this.#mappings.delete(name as string);
  }

  names(): string[] {
    return [...this.#mappings.keys()];
  }

  find(name: unknown): Mapping {
    const mapping = this.#mappings.get(name as string);
    if (mapping !== undefined) return mapping;
    const known = this.names().join(', ') || 'none';
    throw new CairnError(
      'ERR_CAIRN_UNKNOWN_DICTIONARY',
      `There is no dictionary ${describe(name)} here. Add it with addDictionary(), or use one of: ${known}.`,
    );
  }
}

function pairsOf(name: string, dictionary: unknown): [long: string, short: string][] {
  const what = `Dictionary ${describe(name)}`;
  if (!isOptionsObject(dictionary)) throw invalid(`${what} is ${describe(dictionary)}, not an object.`);
  checkNames(dictionary, ['deflate', 'inflate'], 'ERR_CAIRN_INVALID_DICTIONARY', 'member of a dictionary');
  const { deflate, inflate } = dictionary;
  if (deflate === undefined && inflate === undefined) {
    throw invalid(`${what} has neither deflate (long to short) nor inflate (short to long); give one of them.`);
  }
  if (deflate !== undefined && inflate !== undefined) {
    throw invalid(`${what} has both deflate and inflate; give one of them, the other is derived.`);
  }
  const direction = deflate === undefined ? 'inflate' : 'deflate';
  const entries = entriesOf(`${direction} of ${what}`, dictionary[direction]);
  return deflate === undefined ? entries.map(([short, long]) => [long, short]) : entries;
}

function entriesOf(what: string, mapping: unknown): [string, string][] {
  if (!isOptionsObject(mapping)) throw invalid(`${what} is ${describe(mapping)}, not an object.`);
  const sources = new Map<string, string>();
  const entries: [string, string][] = [];
  for (const [from, to] of Object.entries(mapping)) {
    if (typeof to !== 'string')
      throw invalid(`${what} maps ${describe(from)} to ${describe(to)}, which is not a string.`);
    if (from === '' || to === '') throw invalid(`${what} contains an empty key.`);
    if (!isWellFormed(from) || !isWellFormed(to)) throw invalid(`${what} contains half of a surrogate pair.`);
    const other = sources.get(to);
    if (other !== undefined) {
      throw invalid(
        `${what} maps both ${describe(other)} and ${describe(from)} to ${describe(to)}; it must be one-to-one.`,
      );
    }
    sources.set(to, from);
    entries.push([from, to]);
  }
  return entries;
}

function invalid(message: string): CairnError {
  return new CairnError('ERR_CAIRN_INVALID_DICTIONARY', message);
}
