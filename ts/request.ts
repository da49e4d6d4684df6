/**
 * The request: operations as bytes, on their way from JavaScript to native memory. Never on disk. Little-endian.
 *
 * For each operation: u8 head, u16 length and UTF-8 of the table, u16 length and UTF-8 of the key, then what the head
 * announces: f64 expiration, u32 dictionary, f64 ifVersion; for an import: f64 version, f64 time; and for an import and a
 * put: u8 kind, u32 length and bytes of the value.
 *
 * @module
 */
import type { Operation } from './operation.ts';
import { MAX_VALUE_BYTES, type Packed, type Packer, tooLarge } from './pack.ts';

const DELETE = 1;
const IMPORT = 2;
const JOINED = 4;
const HAS_EXPIRATION = 8;
const HAS_DICTIONARY = 16;
const HAS_IF_VERSION = 32;
const MAPPED = 64;

const INITIAL_CAPACITY = 16 * 1024;
/** A buffer that a large value has made larger than this is given back once it is empty. */
const KEPT_CAPACITY = 1024 * 1024;
/** Up to this length bytes are copied here, which costs less than a call of native code. */
const COPIED_HERE = 96;

/** A growable buffer of operations. */
export class RequestBuffer {
  #bytes = Buffer.alloc(0);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  get bytes(): Uint8Array {
    return this.#bytes;
  }

  get length(): number {
    return this.#length;
  }

  clear(): void {
    this.#length = 0;
    if (this.#bytes.length > KEPT_CAPACITY) this.#allocate(0);
  }

  /** Forgets what was appended since the request was `length` long. */
  truncate(length: number): void {
    this.#length = length;
  }

  /** Appends one operation. When it throws, what it left has to be truncated. */
  append(operation: Operation, dictionary: number | undefined, joined: boolean, packer: Packer): void {
    const { table, key, value, expiration, ifVersion, origin } = operation;
    this.#reserve(sizeBound(operation));
    this.#u8(
      (value === undefined ? DELETE : 0) |
        (origin === undefined ? 0 : IMPORT) |
        (joined ? JOINED : 0) |
        (expiration === undefined ? 0 : HAS_EXPIRATION) |
        (dictionary === undefined ? 0 : HAS_DICTIONARY) |
        (value?.mapped ? MAPPED : 0) |
        (ifVersion === undefined ? 0 : HAS_IF_VERSION),
    );
    this.#shortText(table);
    this.#shortText(key);
    if (expiration !== undefined) this.#f64(expiration);
    if (dictionary !== undefined) this.#u32(dictionary);
    if (ifVersion !== undefined) this.#f64(ifVersion);
    if (origin !== undefined) {
      this.#f64(origin.version);
      this.#f64(origin.timestamp);
    }
    if (value !== undefined) this.#value(value, packer);
  }

  #value(value: Packed, packer: Packer): void {
    const { kind, start, end } = value;
    const source = value.bytes ?? packer.bytes;
    const size = end - start;
    this.#u8(kind);
    this.#u32(size);
    const bytes = this.#bytes;
    const at = this.#length;
    if (size > COPIED_HERE) bytes.set(source.subarray(start, end), at);
    else for (let index = 0; index < size; index += 1) bytes[at + index] = source[start + index] as number;
    this.#length = at + size;
  }

  #shortText(text: string): void {
    const bytes = this.#bytes;
    const start = this.#length + 2;
    let at = start;
    for (let index = 0; index < text.length; index += 1) {
      const unit = text.charCodeAt(index);
      if (unit >= 0x80) {
        at = start + bytes.write(text, start);
        break;
      }
      bytes[at] = unit;
      at += 1;
    }
    this.#view.setUint16(start - 2, at - start, true);
    this.#length = at;
  }

  #u8(value: number): void {
    this.#bytes[this.#length] = value;
    this.#length += 1;
  }

  #u32(value: number): void {
    this.#view.setUint32(this.#length, value, true);
    this.#length += 4;
  }

  #f64(value: number): void {
    this.#view.setFloat64(this.#length, value, true);
    this.#length += 8;
  }

  #reserve(size: number): void {
    const needed = this.#length + size;
    if (needed > this.#bytes.length) this.#allocate(Math.max(needed, this.#bytes.length * 2, INITIAL_CAPACITY));
  }

  #allocate(capacity: number): void {
    // Memory of its own, not of Node's pool: the view covers the whole of it.
    const bytes = Buffer.allocUnsafeSlow(capacity);
    bytes.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }
}

/** At least as many bytes as `operation` takes. Refuses a value over the limit. */
function sizeBound({ table, key, value }: Operation): number {
  const size = value === undefined ? 0 : value.end - value.start;
  if (size > MAX_VALUE_BYTES) throw tooLarge(size);
  const fixed = 48;
  return fixed + 3 * (table.length + key.length) + size;
}
