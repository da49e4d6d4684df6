/**
 * Packed bytes as the JavaScript value that they were: see FORMAT.md, *Packed values*. Every call makes a fresh value:
 * nothing that a reader does to it reaches the database.
 *
 * @module
 */
import { elementsFrom } from './elements.ts';
import { CairnError } from './errors.ts';
import { type Names, type Shapes, setMember } from './shapes.ts';
import * as token from './tokens.ts';

export class Unpacker {
  readonly #shapes: Shapes;
  #names: Names;
  #bytes: Uint8Array = new Uint8Array(0);
  #view = new DataView(this.#bytes.buffer);
  /** Where the next token stands, and where the head ends. */
  #at = 0;
  #end = 0;
  #text = '';
  #textAt = 0;
  #depth = 0;

  constructor(shapes: Shapes) {
    this.#shapes = shapes;
    this.#names = shapes.names(0);
  }

  /** From now on heads are in these bytes. */
  use(bytes: Uint8Array): void {
    if (bytes === this.#bytes) return;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /**
   * Reads the value whose head stands from `at` to `end`; its characters are those of `text` from `textAt` to `textEnd`.
   * `dictionary` is 1 more than the number of the one that maps its keys, or 0.
   */
  unpack(at: number, end: number, text: string, textAt: number, textEnd: number, dictionary: number): unknown {
    this.#names = this.#shapes.names(dictionary);
    this.#at = at;
    this.#end = end;
    this.#text = text;
    this.#textAt = textAt;
    this.#depth = 0;
    const value = this.value();
    if (this.#at !== end || this.#textAt !== textEnd) throw damaged();
    return value;
  }

  /** The next value. */
  value(): unknown {
    const first = this.#byte();
    if (first < token.STRING) return first;
    if (first < token.SMALL_LIST) return this.#characters(first - token.STRING);
    if (first < token.NULL) return this.#container(first);
    if (first >= token.SMALL_OBJECT) return this.#container(first);
    if (first > token.ELEMENTS) return first - token.ZERO;
    return this.#further(first);
  }

  #byte(): number {
    const byte = this.#bytes[this.#at] as number;
    this.#at += 1;
    return byte;
  }

  /** Cuts so many units off the text. That there were as many shows in the end. */
  #characters(units: number): string {
    const start = this.#textAt;
    this.#textAt = start + units;
    return this.#text.substring(start, this.#textAt);
  }

  #further(first: number): unknown {
    switch (first) {
      case token.NULL:
        return null;
      case token.UNDEFINED:
        return undefined;
      case token.FALSE:
        return false;
      case token.TRUE:
        return true;
      case token.LONG_STRING:
        return this.#characters(this.#varint());
      case token.WIDE_STRING:
        return this.#wideString();
      case token.FLOAT32:
        this.#skip(4);
        return this.#view.getFloat32(this.#at - 4, true);
      case token.FLOAT64:
        this.#skip(8);
        return this.#view.getFloat64(this.#at - 8, true);
      case token.BIGINT:
        return this.#bigint();
      case token.DATE:
        return new Date(this.value() as number);
      case token.BYTES:
        return Buffer.from(this.#slice(this.#varint()));
      case token.ELEMENTS:
        return this.#elements();
      default:
        if (first < token.BIGINT) return this.#integer(first - token.INTEGER + 1);
        if (first < token.DATE) return -1 - this.#integer(first - token.NEGATIVE + 1);
        return this.#container(first);
    }
  }

  #container(first: number): unknown {
    this.#depth += 1;
    // A writer refuses deeper ones. Where they come from somebody else they must not overflow the stack.
    if (this.#depth > token.MAX_DEPTH) throw damaged();
    const container = this.#contents(first);
    this.#depth -= 1;
    return container;
  }

  #contents(first: number): unknown {
    if (first >= token.SMALL_OBJECT) return this.#maker(first - token.SMALL_OBJECT);
    if (first < token.NULL) return this.#list(first - token.SMALL_LIST);
    switch (first) {
      case token.OBJECT:
        return this.#maker(this.#varint());
      case token.LIST:
        return this.#list(this.#count());
      case token.PARTIAL_OBJECT:
        return this.#partialObject();
      case token.NAMED_OBJECT:
        return this.#namedObject();
      case token.MAP:
        return this.#map();
      case token.SET:
        return new Set(this.#list(this.#count()));
      default:
        // Only what lies behind the end of the bytes is none of these.
        throw damaged();
    }
  }

  #maker(shape: number): object {
    const make = this.#names.makerOf(shape);
    if (make === undefined) throw damaged();
    return make(this);
  }

  #list(count: number): unknown[] {
    const list = [];
    for (let index = 0; index < count; index += 1) list.push(this.value());
    return list;
  }

  #partialObject(): object {
    const keys = this.#names.keysOf(this.#varint());
    if (keys === undefined) throw damaged();
    const bits = this.#slice(Math.ceil(keys.length / 8));
    const object = {};
    for (const [index, key] of keys.entries()) {
      if (((bits[index >> 3] as number) >> (index & 7)) & 1) setMember(object, key, this.value());
    }
    return object;
  }

  #namedObject(): object {
    const count = this.#count();
    const object = {};
    for (let index = 0; index < count; index += 1) {
      const key = this.value();
      if (typeof key !== 'string') throw damaged();
      setMember(object, this.#names.nameOf(key), this.value());
    }
    return object;
  }

  #map(): Map<unknown, unknown> {
    const count = this.#count();
    const map = new Map();
    for (let index = 0; index < count; index += 1) {
      const key = this.value();
      map.set(key, this.value());
    }
    return map;
  }

  #wideString(): string {
    const bytes = this.#slice(2 * this.#varint());
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf16le');
  }

  #bigint(): bigint {
    const digits = this.#characters(this.#varint());
    if (!/^-?\d+$/.test(digits)) throw damaged();
    return BigInt(digits);
  }

  #elements(): unknown {
    const type = this.#byte();
    const bytes = this.#slice(this.#varint());
    const value = elementsFrom(type, bytes);
    if (value === undefined) throw unsupported(`element type ${type} with ${bytes.byteLength} bytes`);
    return value;
  }

  #integer(size: number): number {
    let number = 0;
    let scale = 1;
    for (let index = 0; index < size; index += 1) {
      number += this.#byte() * scale;
      scale *= 0x100;
    }
    return number;
  }

  #varint(): number {
    let number = 0;
    let scale = 1;
    for (;;) {
      const byte = this.#byte();
      number += (byte & 0x7f) * scale;
      if (!(byte >= 0x80)) return number;
      scale *= 0x80;
    }
  }

  /** A count of values. There are at least as many bytes, so that a count alone makes nobody wait or allocate. */
  #count(): number {
    const count = this.#varint();
    if (count > this.#end - this.#at) throw damaged();
    return count;
  }

  #slice(size: number): Uint8Array {
    this.#skip(size);
    return this.#bytes.subarray(this.#at - size, this.#at);
  }

  #skip(size: number): void {
    this.#at += size;
    if (!(this.#at <= this.#end)) throw damaged();
  }
}

export function unsupported(what: string): CairnError {
  return new CairnError(
    'ERR_CAIRN_UNSUPPORTED',
    `This version of CairnDB cannot read a value of ${what}. Read it with the version that wrote it, or a newer one.`,
  );
}

function damaged(): CairnError {
  return new CairnError(
    'ERR_CAIRN_CORRUPT',
    'A stored value cannot be decoded: its bytes are not what its kind says. Run verify().',
  );
}
