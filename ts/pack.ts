/**
 * A JavaScript value as the bytes that are stored: see FORMAT.md, *Packed values*.
 *
 * One walk reads every property once. Its code of the user (getters, `toJSON`, proxies) may write to a database itself, so
 * what a packer makes stands in its memory like frames on a stack, until it is released.
 *
 * @module
 */
import { types } from 'node:util';
import type { Mapping } from './dictionary.ts';
import { ELEMENT_ARRAY_BUFFER, elementTypeOf } from './elements.ts';
import { CairnError } from './errors.ts';
import { KIND_BYTES, KIND_PACKED } from './native.ts';
import { type Shapes, type TablePlans, UNMAPPABLE } from './shapes.ts';
import * as token from './tokens.ts';
import { isWellFormed } from './validate.ts';

/** What is stored of a value: these bytes, from `start` to `end`. */
export interface Packed {
  readonly kind: typeof KIND_BYTES | typeof KIND_PACKED;
  readonly bytes: Uint8Array | undefined;
  readonly start: number;
  readonly end: number;
  /** Whether its keys are those of the dictionary that it is written with. */
  readonly mapped: boolean;
}

/** Longest value, in bytes as it is stored. */
export const MAX_VALUE_BYTES = 512 * 1024 * 1024;

const INITIAL_CAPACITY = 16 * 1024;
/** Memory that a large value has made larger than this is given back once it is released. */
const KEPT_CAPACITY = 1024 * 1024;
/** Up to this length a string is copied here, which costs less than a call of native code. */
const COPIED_HERE = 40;
/** Room for a token and the number that belongs to it. */
const LONGEST_TOKEN = 16;

type Step = string | number;

const float64 = new Float64Array(1);
const float32 = new Float32Array(float64.buffer, 0, 1);
const floatBytes = new Uint8Array(float64.buffer);

export class Packer {
  bytes: Buffer = Buffer.allocUnsafeSlow(INITIAL_CAPACITY);
  /** Where the next token goes. */
  at = 0;
  /** The step taken in each of the containers around the place that the walk is at. */
  path: Step[] = [];
  #ancestors: object[] = [];
  #strings: string[] = [];
  /** How many of them there are. To make the array shorter costs a call of the runtime. */
  #stringCount = 0;
  #plans: TablePlans | undefined;

  /**
   * Packs `value` for a table, or throws `ERR_CAIRN_INVALID_VALUE` with the path of the field that cannot be stored. The
   * result is good until what was packed is released.
   */
  pack(value: unknown, table: string, mapping: Mapping | undefined, shapes: Shapes | undefined): Packed {
    if (Buffer.isBuffer(value)) return { kind: KIND_BYTES, bytes: value, start: 0, end: value.length, mapped: false };
    const start = this.at;
    try {
      this.#packWith(value, shapes?.plansOf(table, mapping));
      return { kind: KIND_PACKED, bytes: undefined, start, end: this.at, mapped: mapping !== undefined };
    } catch (error) {
      if (error !== UNMAPPABLE) throw error;
      this.#packWith(value, shapes?.plansOf(table));
      return { kind: KIND_PACKED, bytes: undefined, start, end: this.at, mapped: false };
    }
  }

  #packWith(value: unknown, plans: TablePlans | undefined): void {
    const outer = {
      plans: this.#plans,
      path: this.path,
      ancestors: this.#ancestors,
      strings: this.#strings,
      stringCount: this.#stringCount,
    };
    const start = this.at;
    // Below lies a value that is being packed, or the other values of a batch.
    if (start > 0) [this.path, this.#ancestors, this.#strings] = [[], [], []];
    this.#plans = plans;
    this.#stringCount = 0;
    try {
      this.at += 1;
      this.value(value, 0);
      this.#finish(start);
    } catch (error) {
      this.at = start;
      throw this.#explain(error, 0);
    } finally {
      ({ plans: this.#plans, path: this.path, ancestors: this.#ancestors, strings: this.#strings } = outer);
      this.#stringCount = outer.stringCount;
      // What it has of a large value must not keep that in memory.
      if (start === 0 && this.at > KEPT_CAPACITY) [this.#ancestors, this.#strings] = [[], []];
    }
  }

  /** Forgets what was packed since `mark`, a former {@link at}. */
  release(mark: number): void {
    this.at = mark;
    if (mark === 0 && this.bytes.length > KEPT_CAPACITY) this.bytes = Buffer.allocUnsafeSlow(INITIAL_CAPACITY);
  }

  /** Writes a value, at this depth of containers. */
  value(value: unknown, depth: number): void {
    if (this.at + LONGEST_TOKEN > this.bytes.length) this.#reserve(LONGEST_TOKEN);
    switch (typeof value) {
      case 'string':
        this.#string(value);
        break;
      case 'number':
        this.#number(value);
        break;
      case 'boolean':
        this.#byte(value ? token.TRUE : token.FALSE);
        break;
      case 'object':
        if (value === null) this.#byte(token.NULL);
        else this.#object(value, depth);
        break;
      case 'undefined':
        if (depth === 0)
          throw this.#refusal(0, 'is undefined, which get() returns for a missing key; write null instead');
        this.#byte(token.UNDEFINED);
        break;
      case 'bigint':
        this.#bigint(value);
        break;
      default:
        throw this.#refusal(depth, `is a ${typeof value}, which cannot be stored`);
    }
  }

  #byte(byte: number): void {
    this.bytes[this.at] = byte;
    this.at += 1;
  }

  #varint(number: number): void {
    let rest = number;
    while (rest >= 0x80) {
      this.#byte((rest % 0x80) + 0x80);
      rest = Math.floor(rest / 0x80);
    }
    this.#byte(rest);
  }

  #count(first: number, count: number): void {
    this.#byte(first);
    this.#varint(count);
  }

  #string(text: string): void {
    if (!isWellFormed(text)) this.#wideString(text);
    else this.#plainString(text);
  }

  #plainString(text: string): void {
    if (text.length < 0x30) this.#byte(token.STRING + text.length);
    else this.#count(token.LONG_STRING, text.length);
    this.#keep(text);
  }

  /** Its characters stand behind the head, with those of the others. */
  #keep(text: string): void {
    this.#strings[this.#stringCount] = text;
    this.#stringCount += 1;
  }

  #wideString(text: string): void {
    this.#reserve(2 * text.length + LONGEST_TOKEN);
    this.#count(token.WIDE_STRING, text.length);
    this.at += this.bytes.write(text, this.at, 'utf16le');
  }

  #bigint(bigint: bigint): void {
    const digits = `${bigint}`;
    this.#count(token.BIGINT, digits.length);
    this.#keep(digits);
  }

  #number(number: number): void {
    if ((number | 0) === number && (number !== 0 || 1 / number > 0)) this.#int32(number);
    else if (Number.isSafeInteger(number) && number !== 0) this.#integer(number);
    else this.#float(number);
  }

  #int32(number: number): void {
    if (number >= 0 ? number < 0x80 : number >= -0x10) {
      this.#byte(number >= 0 ? number : token.ZERO + number);
      return;
    }
    let rest = number >= 0 ? number : -1 - number;
    const at = this.at;
    let end = at;
    do {
      end += 1;
      this.bytes[end] = rest;
      rest >>>= 8;
    } while (rest > 0);
    this.bytes[at] = (number >= 0 ? token.INTEGER : token.NEGATIVE) + (end - at - 1);
    this.at = end + 1;
  }

  #integer(number: number): void {
    let rest = number >= 0 ? number : -1 - number;
    const at = this.at;
    let end = at;
    do {
      end += 1;
      this.bytes[end] = rest % 0x100;
      rest = Math.floor(rest / 0x100);
    } while (rest > 0);
    this.bytes[at] = (number >= 0 ? token.INTEGER : token.NEGATIVE) + (end - at - 1);
    this.at = end + 1;
  }

  #float(number: number): void {
    const isNarrow = Math.fround(number) === number || Number.isNaN(number);
    if (isNarrow) float32[0] = number;
    else float64[0] = number;
    const size = isNarrow ? 4 : 8;
    this.bytes[this.at] = isNarrow ? token.FLOAT32 : token.FLOAT64;
    for (let index = 0; index < size; index += 1) this.bytes[this.at + 1 + index] = floatBytes[index] as number;
    this.at += 1 + size;
  }

  #object(object: object, depth: number): void {
    if (!isPlain(object) && this.#builtin(object, depth)) return;
    const { toJSON } = object as { toJSON?: unknown };
    if (typeof toJSON !== 'function') {
      this.#container(object, depth);
      return;
    }
    const replaced: unknown = toJSON.call(object, depth === 0 ? '' : String(this.path[depth - 1]));
    // What toJSON returns is not asked again: an object that returns itself is stored by its properties, as in JSON.
    if (typeof replaced !== 'object' || replaced === null) this.value(replaced, depth);
    else if (isPlain(replaced) || !this.#builtin(replaced, depth)) this.#container(replaced, depth);
  }

  /** Writes an object that keeps what it is, at any depth. Returns whether it is one. */
  #builtin(object: object, depth: number): boolean {
    if (types.isDate(object)) {
      this.#byte(token.DATE);
      this.#number(object.getTime());
    } else if (Buffer.isBuffer(object)) this.#bytes(token.BYTES, -1, object);
    else if (types.isMap(object)) this.#map(object, depth);
    else if (types.isSet(object)) this.#list(token.SET, [...object], depth, object);
    else if (types.isAnyArrayBuffer(object)) {
      this.#bytes(token.ELEMENTS, ELEMENT_ARRAY_BUFFER, new Uint8Array(object));
    } else if (ArrayBuffer.isView(object)) {
      const type = elementTypeOf(object);
      if (type === undefined) {
        const name = Object.prototype.toString.call(object).slice('[object '.length, -1);
        throw this.#refusal(depth, `is a ${name}, which cannot be stored; convert it to another typed array`);
      }
      this.#bytes(token.ELEMENTS, type, new Uint8Array(object.buffer, object.byteOffset, object.byteLength));
    } else return false;
    return true;
  }

  #bytes(first: number, type: number, bytes: Uint8Array): void {
    this.#reserve(bytes.length + LONGEST_TOKEN);
    this.#byte(first);
    if (type >= 0) this.#byte(type);
    this.#varint(bytes.length);
    this.bytes.set(bytes, this.at);
    this.at += bytes.length;
  }

  #container(object: object, depth: number): void {
    if (Array.isArray(object)) this.#list(token.LIST, object, depth, object);
    else if (!isPlain(object) && types.isBoxedPrimitive(object)) this.value(unbox(object), depth);
    else this.#members(object as Record<string, unknown>, depth);
  }

  #list(first: number, items: readonly unknown[], depth: number, owner: object): void {
    this.#descend(owner, depth);
    if (first === token.LIST && items.length < 0x10) this.#byte(token.SMALL_LIST + items.length);
    else this.#count(first, items.length);
    try {
      for (let index = 0; index < items.length; index += 1) {
        this.path[depth] = index;
        const item = items[index];
        // A hole is null, as in JSON; an element that is undefined stays undefined.
        this.value(item === undefined && !(index in items) ? null : item, depth + 1);
      }
    } catch (error) {
      throw this.#explain(error, depth + 1);
    }
  }

  /** A Map counts as its list of entries, in the path too. */
  #map(map: Map<unknown, unknown>, depth: number): void {
    this.#descend(map, depth);
    if (depth + 1 >= token.MAX_DEPTH && map.size > 0) throw this.#tooDeep(depth + 1);
    this.#count(token.MAP, map.size);
    let index = 0;
    for (const entry of [...map]) {
      this.path[depth] = index;
      index += 1;
      for (const step of [0, 1]) {
        this.path[depth + 1] = step;
        this.#ancestors[depth + 1] = entry;
        this.value(entry[step], depth + 2);
      }
    }
  }

  #members(object: Record<string, unknown>, depth: number): void {
    this.#descend(object, depth);
    // An error of a proxy is explained by the place that the object is at.
    const keys = Object.keys(object);
    try {
      const plan = this.#plans?.find(keys);
      if (plan === undefined) {
        this.#namedMembers(object, keys, depth);
        return;
      }
      if (plan.present === undefined) {
        if (plan.shape < 0x10) this.#byte(token.SMALL_OBJECT + plan.shape);
        else this.#count(token.OBJECT, plan.shape);
      } else {
        this.#count(token.PARTIAL_OBJECT, plan.shape);
        this.#reserve(plan.present.length + LONGEST_TOKEN);
        for (const bits of plan.present) this.#byte(bits);
      }
      // By a variable, not by code that has the names: that is slow where each object has a hidden class of its own, as
      // those of `{ ...object, name: value }` have in Node.js 20.
      const { path } = this;
      for (const key of keys) {
        path[depth] = key;
        this.value(object[key], depth + 1);
      }
    } catch (error) {
      throw this.#explain(error, depth + 1);
    }
  }

  #namedMembers(object: Record<string, unknown>, keys: readonly string[], depth: number): void {
    this.#count(token.NAMED_OBJECT, keys.length);
    for (const key of keys) {
      this.#reserve(LONGEST_TOKEN);
      this.#string(this.#plans?.stored(key) ?? key);
      this.path[depth] = key;
      this.value(object[key], depth + 1);
    }
  }

  #descend(object: object, depth: number): void {
    for (let above = 0; above < depth; above += 1) {
      if (this.#ancestors[above] !== object) continue;
      throw this.#refusal(depth, `refers back to ${this.#pathTo(above)}, which contains it: a cycle cannot be stored`);
    }
    if (depth >= token.MAX_DEPTH) throw this.#tooDeep(depth);
    this.#ancestors[depth] = object;
  }

  #tooDeep(depth: number): CairnError {
    return this.#refusal(depth, `is nested deeper than ${token.MAX_DEPTH} arrays and objects; store it flatter`);
  }

  /** Puts the characters behind the head, and the length of the head in front of it. */
  #finish(start: number): void {
    const head = this.at - start - 1;
    if (head < token.LONG_HEAD) this.bytes[start] = head;
    else {
      this.#reserve(4);
      this.bytes.copyWithin(start + 5, start + 1, this.at);
      this.bytes[start] = token.LONG_HEAD;
      this.bytes.writeUInt32LE(head, start + 1);
      this.at += 4;
    }
    for (let index = 0; index < this.#stringCount; index += 1) this.#characters(this.#strings[index] as string);
    if (this.at - start > MAX_VALUE_BYTES) throw tooLarge(this.at - start);
  }

  #characters(text: string): void {
    const { length } = text;
    if (length > COPIED_HERE) {
      this.#reserve(length < KEPT_CAPACITY ? 3 * length : Buffer.byteLength(text));
      this.at += this.bytes.write(text, this.at);
      return;
    }
    if (this.at + 3 * COPIED_HERE > this.bytes.length) this.#reserve(3 * COPIED_HERE);
    const { bytes, at } = this;
    for (let index = 0; index < length; index += 1) {
      const unit = text.charCodeAt(index);
      if (unit >= 0x80) {
        this.at = at + bytes.write(text, at);
        return;
      }
      bytes[at + index] = unit;
    }
    this.at = at + length;
  }

  #reserve(size: number): void {
    const needed = this.at + size;
    if (needed <= this.bytes.length) return;
    // One value may stand behind others of its batch.
    if (needed > 3 * MAX_VALUE_BYTES) throw tooLarge(needed);
    const bytes = Buffer.allocUnsafeSlow(Math.max(needed, Math.min(2 * this.bytes.length, needed + (64 << 20))));
    this.bytes.copy(bytes, 0, 0, this.at);
    this.bytes = bytes;
  }

  #refusal(depth: number, problem: string, cause?: unknown): CairnError {
    return new CairnError('ERR_CAIRN_INVALID_VALUE', `${this.#pathTo(depth)} ${problem}.`, { cause });
  }

  /** Getters, toJSON and proxies run the user's code, and its errors have no path. The innermost place explains them. */
  #explain(error: unknown, depth: number): unknown {
    if (error instanceof CairnError || error === UNMAPPABLE) return error;
    return this.#refusal(depth, `could not be read (${error instanceof Error ? error.message : String(error)})`, error);
  }

  #pathTo(depth: number): string {
    let text = 'value';
    for (const step of this.path.slice(0, depth)) {
      if (text.length > 200) return `${text}…`;
      text +=
        typeof step === 'string' && /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(step)
          ? `.${step}`
          : `[${JSON.stringify(step)}]`;
    }
    return text;
  }
}

export function tooLarge(size: number): CairnError {
  const message = `value has ${size} bytes or more; the most is ${MAX_VALUE_BYTES}. Store it in parts.`;
  return new CairnError('ERR_CAIRN_TOO_LARGE', message);
}

/** Objects that JSON knows: no builtin can be among them, so they need no closer look. */
function isPlain(object: object): boolean {
  const prototype = Object.getPrototypeOf(object);
  return prototype === Object.prototype || prototype === Array.prototype || prototype === null;
}

/** `new Number(1)` and its like as the primitive that they hold, as JSON does. */
function unbox(object: object): unknown {
  if (types.isNumberObject(object)) return Number(object);
  if (types.isStringObject(object)) return String(object);
  return object.valueOf();
}
