/**
 * A JavaScript value as the (kind, content) pair that is stored.
 *
 * One walk reads every property once and writes JSON text. Where plain JSON would change a value, it writes a tag
 * instead (`{"$date":0}`), and only then is the text stored as tagged; a value that JSON carries unchanged is stored as
 * plain JSON, where nothing is interpreted when it is read.
 *
 * @module
 */
import { types } from 'node:util';
import { ELEMENT_ARRAY_BUFFER, elementTypeOf } from './elements.ts';
import { CairnError } from './errors.ts';
import { KIND_BYTES, KIND_JSON, KIND_TAGGED, KIND_TYPED } from './native.ts';

/** How deep arrays and objects may be nested. Deeper values are refused, since reading them could overflow the stack. */
export const MAX_DEPTH = 1000;

/** What is stored of a value: text, or the parts that its bytes consist of. */
export type Encoded =
  | { readonly kind: typeof KIND_JSON | typeof KIND_TAGGED; readonly text: string }
  | { readonly kind: typeof KIND_BYTES; readonly bytes: Uint8Array }
  | { readonly kind: typeof KIND_TYPED; readonly elementType: number; readonly bytes: Uint8Array };

/** Encodes `value`, or throws `ERR_CAIRN_INVALID_VALUE` with the path of the field that cannot be stored. */
export function encode(value: unknown): Encoded {
  return new Serializer().encode(value);
}

type Step = string | number;

// Text that is quoted contains no control characters, so these two can mark places in it until the walk has ended.
const OPEN_WRAP = '\u0001';
const CLOSE_WRAP = '\u0002';

class Serializer {
  #tagged = false;
  #wrapped = false;
  /** The containers around the place that the walk is at, by depth. Deeper entries are left over and mean nothing. */
  readonly #ancestors: object[] = [];
  /** The step taken in each of them. */
  readonly #path: Step[] = [];

  encode(value: unknown): Encoded {
    try {
      return this.#binary(value) ?? this.#text(value);
    } catch (error) {
      throw this.#explain(error, 0);
    }
  }

  /** A value that is binary itself is stored as its bytes, not as text about them. */
  #binary(value: unknown): Encoded | undefined {
    if (typeof value !== 'object' || value === null || isPlain(value)) return undefined;
    if (Buffer.isBuffer(value)) return { kind: KIND_BYTES, bytes: value };
    const elements = this.#elements(value, 0);
    return elements && { kind: KIND_TYPED, ...elements };
  }

  #text(value: unknown): Encoded {
    const text = this.#value(value, 0);
    const kind = this.#tagged ? KIND_TAGGED : KIND_JSON;
    if (!this.#wrapped) return { kind, text };
    // Only now is it known whether the text has tags, that is, whether objects that look like one need their wrapper.
    const [open, close] = this.#tagged ? ['{"$object":', '}'] : ['', ''];
    return { kind, text: text.replaceAll(OPEN_WRAP, open).replaceAll(CLOSE_WRAP, close) };
  }

  #value(value: unknown, depth: number): string {
    switch (typeof value) {
      case 'string':
        return quote(value);
      case 'number':
        return Number.isFinite(value) && !Object.is(value, -0) ? `${value}` : this.#number(value);
      case 'boolean':
        return value ? 'true' : 'false';
      case 'object':
        return value === null ? 'null' : this.#object(value, depth);
      case 'undefined':
        if (depth === 0)
          throw this.#refusal(0, 'is undefined, which get() returns for a missing key; write null instead');
        return this.#tag('{"$undefined":true}');
      case 'bigint':
        return this.#tag(`{"$bigint":"${value}"}`);
      default:
        throw this.#refusal(depth, `is a ${typeof value}, which cannot be stored`);
    }
  }

  #number(value: number): string {
    return this.#tag(`{"$number":"${Object.is(value, -0) ? '-0' : value}"}`);
  }

  #tag(text: string): string {
    this.#tagged = true;
    return text;
  }

  #object(object: object, depth: number): string {
    if (!isPlain(object)) {
      const text = this.#builtin(object, depth);
      if (text !== undefined) return text;
    }
    const { toJSON } = object as { toJSON?: unknown };
    if (typeof toJSON !== 'function') return this.#container(object, depth);
    const replaced: unknown = toJSON.call(object, depth === 0 ? '' : String(this.#path[depth - 1]));
    // What toJSON returns is not asked again: an object that returns itself is stored by its properties, as in JSON.
    const isContainer = typeof replaced === 'object' && replaced !== null;
    const text = isContainer && !isPlain(replaced) ? this.#builtin(replaced, depth) : undefined;
    if (text !== undefined) return text;
    return isContainer ? this.#container(replaced, depth) : this.#value(replaced, depth);
  }

  /** Objects that keep what they are, at any depth. */
  #builtin(object: object, depth: number): string | undefined {
    if (types.isDate(object)) {
      const time = object.getTime();
      return this.#tag(`{"$date":${Number.isNaN(time) ? 'null' : time}}`);
    }
    if (Buffer.isBuffer(object)) return this.#tag(`{"$bytes":"${object.toString('base64')}"}`);
    if (types.isMap(object)) return this.#tag(`{"$map":${this.#array([...object], depth, object)}}`);
    if (types.isSet(object)) return this.#tag(`{"$set":${this.#array([...object], depth, object)}}`);
    const elements = this.#elements(object, depth);
    if (elements === undefined) return undefined;
    const { elementType, bytes } = elements;
    const base64 = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
    return this.#tag(`{"$typed":[${elementType},"${base64}"]}`);
  }

  /** The bytes of an ArrayBuffer or of a view of one, with the type of the elements that they are. */
  #elements(object: object, depth: number): { elementType: number; bytes: Uint8Array } | undefined {
    if (types.isAnyArrayBuffer(object)) {
      return { elementType: ELEMENT_ARRAY_BUFFER, bytes: new Uint8Array(object) };
    }
    if (!ArrayBuffer.isView(object)) return undefined;
    const elementType = elementTypeOf(object);
    if (elementType === undefined) {
      const name = Object.prototype.toString.call(object).slice('[object '.length, -1);
      throw this.#refusal(depth, `is a ${name}, which cannot be stored; convert it to another typed array`);
    }
    return { elementType, bytes: new Uint8Array(object.buffer, object.byteOffset, object.byteLength) };
  }

  #container(object: object, depth: number): string {
    if (Array.isArray(object)) return this.#array(object, depth, object);
    if (!isPlain(object) && types.isBoxedPrimitive(object)) return this.#value(unbox(object), depth);
    return this.#members(object as Record<string, unknown>, depth);
  }

  #array(items: readonly unknown[], depth: number, owner: object): string {
    this.#descend(owner, depth);
    let text = '[';
    try {
      for (let index = 0; index < items.length; index += 1) {
        if (index > 0) text += ',';
        this.#path[depth] = index;
        const item = items[index];
        // A hole is null, as in JSON; an element that is undefined stays undefined.
        text += item === undefined && !(index in items) ? 'null' : this.#value(item, depth + 1);
      }
    } catch (error) {
      throw this.#explain(error, depth + 1);
    }
    return `${text}]`;
  }

  #members(object: Record<string, unknown>, depth: number): string {
    this.#descend(object, depth);
    let text = '{';
    try {
      const keys = Object.keys(object);
      for (const key of keys) {
        if (text !== '{') text += ',';
        this.#path[depth] = key;
        text += quoteKey(key) + this.#value(object[key], depth + 1);
      }
      if (keys.length !== 1 || keys[0]?.[0] !== '$') return `${text}}`;
    } catch (error) {
      throw this.#explain(error, depth + 1);
    }
    this.#wrapped = true;
    return `${OPEN_WRAP}${text}}${CLOSE_WRAP}`;
  }

  #descend(object: object, depth: number): void {
    for (let above = 0; above < depth; above += 1) {
      if (this.#ancestors[above] !== object) continue;
      throw this.#refusal(depth, `refers back to ${this.#pathTo(above)}, which contains it: a cycle cannot be stored`);
    }
    if (depth >= MAX_DEPTH) {
      throw this.#refusal(depth, `is nested deeper than ${MAX_DEPTH} arrays and objects; store it flatter`);
    }
    this.#ancestors[depth] = object;
  }

  #refusal(depth: number, problem: string, cause?: unknown): CairnError {
    return new CairnError('ERR_CAIRN_INVALID_VALUE', `${this.#pathTo(depth)} ${problem}.`, { cause });
  }

  /** Getters, toJSON and proxies run the user's code, and its errors have no path. The innermost place explains them. */
  #explain(error: unknown, depth: number): CairnError {
    if (error instanceof CairnError) return error;
    if (error instanceof RangeError && error.message === 'Invalid string length') {
      return new CairnError('ERR_CAIRN_TOO_LARGE', 'value is over the limit of 512 MiB; store it in parts.', {
        cause: error,
      });
    }
    return this.#refusal(depth, `could not be read (${error instanceof Error ? error.message : String(error)})`, error);
  }

  #pathTo(depth: number): string {
    let text = 'value';
    for (const step of this.#path.slice(0, depth)) {
      if (text.length > 200) return `${text}…`;
      text +=
        typeof step === 'string' && /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(step)
          ? `.${step}`
          : `[${JSON.stringify(step)}]`;
    }
    return text;
  }
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

// All but what stands in JSON as it is: control characters, quotes, backslashes and surrogates may need an escape.
const NEEDS_ESCAPE = /[^ !#-[\]-\ud7ff\ue000-\uffff]/;

/** `text` as JSON. Most strings need no escape, and then quotes around them are all that it takes. */
function quote(text: string): string {
  return NEEDS_ESCAPE.test(text) ? JSON.stringify(text) : `"${text}"`;
}

const quotedKeys = new Map<string, string>();

/** `key` as JSON with its colon. The keys of a program are few and come again and again, so they are remembered. */
function quoteKey(key: string): string {
  let quoted = quotedKeys.get(key);
  if (quoted === undefined) {
    quoted = `${quote(key)}:`;
    if (quotedKeys.size < 4096 && key.length <= 64) quotedKeys.set(key, quoted);
  }
  return quoted;
}
