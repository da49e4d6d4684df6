/**
 * Shapes: the keys of objects, which the database keeps once. Here they are learned from the objects that are written,
 * and for each a reader is made that knows the keys.
 *
 * @module
 */
import type { Mapping } from './dictionary.ts';
import { translated } from './errors.ts';
import type { NativeHandle } from './native.ts';
import type { Unpacker } from './unpack.ts';
import { isWellFormed } from './validate.ts';

/** Objects with more keys name them. */
const MAX_KEYS = 256;
/**
 * How many shapes a session makes for one table. A table whose objects are maps, with keys that are data, has no end of
 * them; there the keys are named.
 */
const MAX_LEARNED = 64;
/** The plans of so many tables are remembered. */
const MAX_TABLES = 1024;
/** A shape that has all keys of an object is looked for among so many. */
const MAX_COMPARED = 16;

type MakeObject = (unpacker: Unpacker) => object;

/** How objects with certain keys are written. */
export interface Plan {
  readonly keys: readonly string[];
  /** The number of the shape; -1 if such objects name their keys. */
  readonly shape: number;
  /** If the shape has further keys: a bit for each of its keys that says whether these objects have it. */
  readonly present: Uint8Array | undefined;
}

/** Thrown where the keys of an object cannot be mapped by a dictionary without loss. */
export const UNMAPPABLE = Symbol('unmappable');

/** Who makes shapes and dictionaries known. */
export type Definitions = Pick<NativeHandle, 'defineShape' | 'shapes' | 'dictionary'>;

/** What one session knows of the shapes of its database. */
export class Shapes {
  readonly #handle: Definitions;
  readonly #keys: (readonly string[])[] = [];
  readonly #names: Names[] = [];
  readonly #plans = new Map<string, TablePlans>();
  /** Those of values whose keys a dictionary maps. */
  readonly #mapped = new WeakMap<Mapping, Map<string, TablePlans>>();

  constructor(handle: Definitions) {
    this.#handle = handle;
  }

  /** How objects of a table are written, with their keys mapped or as they are. */
  plansOf(table: string, mapping?: Mapping): TablePlans {
    let tables = mapping === undefined ? this.#plans : this.#mapped.get(mapping);
    if (tables === undefined) {
      tables = new Map();
      this.#mapped.set(mapping as Mapping, tables);
    }
    let plans = tables.get(table);
    if (plans === undefined) {
      // What is lost when there are too many is learned again.
      if (tables.size >= MAX_TABLES) tables.clear();
      plans = new TablePlans(this, mapping);
      tables.set(table, plans);
    }
    return plans;
  }

  /** Makes the keys known, and returns the number of their shape; -1 if they are to be named. */
  define(keys: readonly string[]): number {
    return translated(() => this.#handle.defineShape(keys));
  }

  /** What is read of values: `dictionary` is 1 more than the number of the one that maps their keys, or 0. */
  names(dictionary: number): Names {
    const known = this.#names[dictionary];
    if (known !== undefined) return known;
    const pairs = dictionary === 0 ? [] : this.#handle.dictionary(dictionary - 1);
    const names = new Names(this, new Map(pairs.map(([long, short]) => [short, long])));
    this.#names[dictionary] = names;
    return names;
  }

  /** The keys of a shape as they are stored, or undefined if there is none with this number. */
  keysOf(shape: number): readonly string[] | undefined {
    // Others may have made some since.
    if (shape >= this.#keys.length) this.#keys.push(...this.#handle.shapes(this.#keys.length));
    return this.#keys[shape];
  }
}

/** The names that keys stand for, and what makes objects that have them. */
export class Names {
  readonly #shapes: Shapes;
  readonly #long: ReadonlyMap<string, string>;
  readonly #makers: MakeObject[] = [];

  constructor(shapes: Shapes, long: ReadonlyMap<string, string>) {
    this.#shapes = shapes;
    this.#long = long;
  }

  nameOf(key: string): string {
    return this.#long.get(key) ?? key;
  }

  /** The names of a shape, or undefined if there is none with this number. */
  keysOf(shape: number): readonly string[] | undefined {
    const keys = this.#shapes.keysOf(shape);
    return this.#long.size === 0 ? keys : keys?.map((key) => this.nameOf(key));
  }

  /** What makes objects of a shape, or undefined if there is none with this number. */
  makerOf(shape: number): MakeObject | undefined {
    const known = this.#makers[shape];
    if (known !== undefined) return known;
    const keys = this.keysOf(shape);
    if (keys === undefined) return undefined;
    const maker = compileMaker(keys);
    this.#makers[shape] = maker;
    return maker;
  }
}

/** How the objects of one table are written, as learned from those that were. */
export class TablePlans {
  readonly #shapes: Shapes;
  readonly #short: ReadonlyMap<string, string>;
  /** Names that would be taken for mapped ones. */
  readonly #taken: ReadonlySet<string>;
  /** By the number of keys, so that few are compared. */
  readonly #plans: Plan[][] = [];
  #learned = 0;

  constructor(shapes: Shapes, mapping: Mapping | undefined) {
    this.#shapes = shapes;
    this.#short = new Map(mapping?.pairs);
    this.#taken = new Set(this.#short.values());
  }

  /** How an object with these keys is written; undefined if it names them. */
  find(keys: readonly string[]): Plan | undefined {
    const plans = this.#plans[keys.length];
    if (plans !== undefined) {
      for (const plan of plans) if (sameKeys(plan.keys, keys)) return plan;
    }
    return this.#learned < MAX_LEARNED && keys.length <= MAX_KEYS ? this.#learn(keys) : undefined;
  }

  /** A key as it is stored. */
  stored(key: string): string {
    const short = this.#short.get(key);
    // Left alone it would be read as what it is short for.
    if (short === undefined && this.#taken.has(key)) throw UNMAPPABLE;
    return short ?? key;
  }

  #learn(keys: readonly string[]): Plan | undefined {
    if (!keys.every(isWellFormed)) return undefined;
    this.#learned += 1;
    const plan = this.#partial(keys) ?? this.#whole(keys);
    if (plan === undefined) return undefined;
    const plans = this.#plans[keys.length];
    if (plans === undefined) this.#plans[keys.length] = [plan];
    else plans.push(plan);
    return plan;
  }

  #whole(keys: readonly string[]): Plan | undefined {
    const shape = this.#shapes.define(keys.map((key) => this.stored(key)));
    return shape < 0 ? undefined : { keys, shape, present: undefined };
  }

  /** Objects whose optional fields come and go share the shape that has all of them. */
  #partial(keys: readonly string[]): Plan | undefined {
    if (keys.length === 0) return undefined;
    for (const { keys: all, shape, present } of this.#plans.flat().slice(-MAX_COMPARED)) {
      if (present !== undefined || all.length > 2 * keys.length + 8) continue;
      const bits = bitsOf(keys, all);
      if (bits !== undefined) return { keys, shape, present: bits };
    }
    return undefined;
  }
}

function sameKeys(a: readonly string[], b: readonly string[]): boolean {
  for (let index = 0; index < a.length; index += 1) if (a[index] !== b[index]) return false;
  return true;
}

/** Which of `all` the keys are, as bits; undefined if they are not among them in this order. */
function bitsOf(keys: readonly string[], all: readonly string[]): Uint8Array | undefined {
  const bits = new Uint8Array(Math.ceil(all.length / 8));
  let at = 0;
  for (const [index, key] of all.entries()) {
    if (key !== keys[at]) continue;
    bits[index >> 3] = (bits[index >> 3] as number) | (1 << (index & 7));
    at += 1;
  }
  return at === keys.length ? bits : undefined;
}

/** Objects that are made and read by code that names their keys are made and read at once, and not key by key. */
function compiled<T>(parameters: readonly string[], body: string): T | undefined {
  try {
    return new Function(...parameters, body) as T;
  } catch (error) {
    // Where code from strings is not allowed the same is done key by key.
    if (error instanceof EvalError) return undefined;
    throw error;
  }
}

function compileMaker(keys: readonly string[]): MakeObject {
  // In a literal `__proto__` would set the prototype, unless it is computed.
  const nameOf = (key: string) => (key === '__proto__' ? '["__proto__"]' : JSON.stringify(key));
  const members = keys.map((key) => `${nameOf(key)}: unpacker.value()`);
  const body = `'use strict'; return { ${members.join(', ')} };`;
  return compiled<MakeObject>(['unpacker'], body) ?? makerOf(keys);
}

function makerOf(keys: readonly string[]): MakeObject {
  return (unpacker) => {
    const object = {};
    for (const key of keys) setMember(object, key, unpacker.value());
    return object;
  };
}

/** Sets an own member, whatever its name: an assignment to `__proto__` would reach the prototype. */
export function setMember(object: object, key: string, value: unknown): void {
  if (key === '__proto__') {
    Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
  } else (object as Record<string, unknown>)[key] = value;
}
