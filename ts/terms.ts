/**
 * On what terms something is written: its expiration, dictionary, condition and durability.
 *
 * @module
 */
import { CairnError } from './errors.ts';
import type { Level } from './native.ts';
import { type Durability, levelOf } from './options.ts';
import { checkNames, describe, isOptionsObject } from './validate.ts';

/** What `write()` takes as its fourth argument. */
export interface WriteOptions {
  /**
   * Milliseconds since the epoch, or a Date: once this has passed, the record is missing. The number 0 and null mean
   * never, as they do in PikoDB and in {@link DatabaseRecord.expiration}.
   */
  readonly expiresAt?: number | Date | null | undefined;
  /** Milliseconds from now, more than 0: another way to say `expiresAt`. */
  readonly ttl?: number | undefined;
  /** Name of the dictionary that shortens the keys of the value. Null or absent: none. */
  readonly dictionary?: string | null | undefined;
  /** Write only if the record has this version; 0 means that there must be none. Else `ERR_CAIRN_CONFLICT`. */
  readonly ifVersion?: number | undefined;
  /** The level of this write. Default: the level of the database. */
  readonly durability?: Durability | undefined;
}

/** What `getAndSet()` takes as its fourth argument. It has no `ifVersion`, being a condition of its own. */
export type ExchangeOptions = Omit<WriteOptions, 'ifVersion'>;

/** The terms of one write, checked. Absent is undefined. */
export interface Terms {
  /** Milliseconds since the epoch. */
  readonly expiration: number | undefined;
  readonly dictionary: string | undefined;
  readonly ifVersion: number | undefined;
  readonly level: Level | undefined;
}

/** Those of a write that names none. */
export const NO_TERMS: Terms = { expiration: undefined, dictionary: undefined, ifVersion: undefined, level: undefined };
const NAMES_OF_EXCHANGE: readonly (keyof ExchangeOptions)[] = ['expiresAt', 'ttl', 'dictionary', 'durability'];
const NAMES: readonly (keyof WriteOptions)[] = [...NAMES_OF_EXCHANGE, 'ifVersion'];

/** The terms that the last two arguments of `write()` stand for: PikoDB's two, or one object. */
export function termsOfArguments(expirationOrOptions: unknown, dictionaryName: unknown): Terms {
  if (!isOptionsObject(expirationOrOptions)) {
    if (expirationOrOptions === undefined && dictionaryName === undefined) return NO_TERMS;
    const expiration = expirationOf(expirationOrOptions, 'expirationTimestamp');
    return { ...NO_TERMS, expiration, dictionary: dictionaryOf(dictionaryName) };
  }
  if (dictionaryName !== undefined) {
    throw invalidOptions(
      'write() takes either options or an expiration and a dictionary name; put the name into the options.',
    );
  }
  checkNames(expirationOrOptions, NAMES, 'ERR_CAIRN_INVALID_OPTIONS', 'option of write()');
  return termsOf(expirationOrOptions);
}

/** The terms that the options of `getAndSet()` stand for. */
export function termsOfExchange(options: unknown = {}): Terms {
  if (!isOptionsObject(options)) throw invalidOptions(`Options are ${describe(options)}; give an object.`);
  checkNames(options, NAMES_OF_EXCHANGE, 'ERR_CAIRN_INVALID_OPTIONS', 'option of getAndSet()');
  return termsOf(options);
}

/** The terms that named options stand for. Their names have been checked. */
export function termsOf({ expiresAt, ttl, dictionary, ifVersion, durability }: Record<string, unknown>): Terms {
  return {
    expiration: ttl === undefined ? expiresAtOf(expiresAt) : afterTtl(ttl, expiresAt),
    dictionary: dictionary === null ? undefined : dictionaryOf(dictionary),
    ifVersion: versionOf(ifVersion),
    level: levelOf(durability),
  };
}

function expiresAtOf(expiresAt: unknown): number | undefined {
  if (expiresAt === null) return undefined;
  if (!(expiresAt instanceof Date)) return expirationOf(expiresAt, 'expiresAt');
  const time = expiresAt.getTime();
  if (Number.isNaN(time)) throw invalidExpiration('expiresAt is an invalid Date; give a valid one.');
  return time;
}

function expirationOf(expiration: unknown, name: string): number | undefined {
  if (expiration === undefined || expiration === 0) return undefined;
  if (typeof expiration === 'number' && Number.isFinite(expiration)) return expiration;
  throw invalidExpiration(`${name} is ${describe(expiration)}; give milliseconds since the epoch, or 0 for never.`);
}

function afterTtl(ttl: unknown, expiresAt: unknown): number {
  if (expiresAt !== undefined) throw invalidExpiration('Both expiresAt and ttl are given; give one of them.');
  const expiration = typeof ttl === 'number' && ttl > 0 ? Date.now() + ttl : Number.NaN;
  if (Number.isFinite(expiration)) return expiration;
  throw invalidExpiration(`ttl is ${describe(ttl)}; give a finite number of milliseconds, more than 0.`);
}

function dictionaryOf(name: unknown): string | undefined {
  if (name === undefined || typeof name === 'string') return name;
  throw invalidOptions(`The dictionary is ${describe(name)}; give the name of one.`);
}

function versionOf(version: unknown): number | undefined {
  if (version === undefined || (Number.isSafeInteger(version) && (version as number) >= 0))
    return version as number | undefined;
  throw invalidOptions(
    `ifVersion is ${describe(version)}; give a version (a whole number), or 0 for "must not exist".`,
  );
}

function invalidOptions(message: string): CairnError {
  return new CairnError('ERR_CAIRN_INVALID_OPTIONS', message);
}

function invalidExpiration(message: string): CairnError {
  return new CairnError('ERR_CAIRN_INVALID_EXPIRATION', message);
}
