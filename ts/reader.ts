/**
 * Reading: names go to native code by shared memory, and packed values come back by it.
 *
 * @module
 */
import type { ObjectCache } from './cache.ts';
import { CairnError } from './errors.ts';
import { MEMORY_KEY, MEMORY_OUT, MEMORY_TABLE, type NativeHandle, type RawPage, type RawValue } from './native.ts';
import type { RecentValues } from './recent.ts';
import type { Shapes } from './shapes.ts';
import { Unpacker, unsupported } from './unpack.ts';
import { checkKey, checkTable, MAX_KEY_BYTES } from './validate.ts';

/** Where a value begins in the memory, behind its dictionary and its length. */
const VALUE_AT = 8;
/** In the number of the dictionary: the record will expire. */
const EXPIRES = 2 ** 31;

/** A value with what the database knows about it. */
// biome-ignore lint/suspicious/noExplicitAny: what is read is whatever was written, and only the caller knows its type.
export interface DatabaseRecord<T = any> {
  readonly value: T;
  /** 1 for the first write of a key, one more for each further one. A key that was deleted begins again. */
  readonly version: number;
  /** When it was written, in milliseconds since the epoch. */
  readonly timestamp: number;
  /** When it expires, in milliseconds since the epoch; null: never. */
  readonly expiration: number | null;
  /** The dictionary that it was written with; null: none. */
  readonly dictionaryName: string | null;
}

export class Reader {
  readonly #memory: Buffer;
  readonly #view: DataView;
  readonly #shapes: Shapes;
  readonly #unpacker: Unpacker;
  readonly #cache: ObjectCache | undefined;
  readonly #recent: RecentValues | undefined;
  /** Of what is in it. */
  #recentUnpacker: Unpacker | undefined;
  /** The hash of the key that stands in the memory. */
  #hash = 0;
  /** The table whose name stands in the memory, and its length there. */
  #table = '';
  #tableBytes = 0;
  /** Whether the record that was read last will expire. */
  #expires = false;
  /** Where the next value stands in the memory. */
  #at = MEMORY_OUT;

  constructor(handle: NativeHandle, shapes: Shapes, cache: ObjectCache | undefined, recent: RecentValues | undefined) {
    this.#cache = cache;
    this.#recent = recent;
    this.#shapes = shapes;
    this.#memory = Buffer.from(handle.memory);
    this.#view = new DataView(handle.memory);
    this.#unpacker = new Unpacker(shapes);
  }

  /** The value under a key, or undefined. Refuses bad names. */
  get(handle: NativeHandle, table: string, key: string): unknown {
    const cache = this.#cache;
    if (cache === undefined) return this.#read(handle, table, key);
    const cached = cache.get(table, key);
    if (cached !== undefined) return cached;
    const mark = cache.mark();
    const value = this.#read(handle, table, key);
    return value === undefined || this.#expires ? value : cache.keep(table, key, value, mark);
  }

  #read(handle: NativeHandle, table: string, key: string): unknown {
    if (table !== this.#table) {
      checkTable(table);
      this.#tableBytes = this.#memory.write(table, MEMORY_TABLE);
      this.#table = table;
    }
    const keyBytes = this.#putKey(key);
    const kept = this.#recent?.find(this.#hash, table, key);
    if (kept !== undefined) {
      const { start, end, text, dictionary } = kept;
      return this.#unpackerOfRecent.unpack(start, end, text, 0, text.length, dictionary);
    }
    const found = handle.get(this.#tableBytes, keyBytes);
    if (found === undefined) return undefined;
    this.#at = MEMORY_OUT;
    if (typeof found === 'string') {
      const value = this.#packed(found, 0, found.length);
      if (!this.#expires && this.#recent?.isAgain(this.#hash)) this.#keep(table, key, found);
      return value;
    }
    // Of others it is not known here.
    this.#expires = true;
    return this.value(found);
  }

  /** Keeps the value that was just read, and stands in the memory. */
  #keep(table: string, key: string, text: string): void {
    const dictionary = this.#view.getUint32(MEMORY_OUT, true);
    const value = { table, key, start: MEMORY_OUT + VALUE_AT, end: this.#at, text, dictionary };
    this.#recent?.keep(value, this.#hash, this.#memory);
  }

  get #unpackerOfRecent(): Unpacker {
    if (this.#recentUnpacker === undefined) {
      this.#recentUnpacker = new Unpacker(this.#shapes);
      if (this.#recent !== undefined) this.#recentUnpacker.use(this.#recent.heads);
    }
    return this.#recentUnpacker;
  }

  /**
   * Checks a key and writes it to the memory, in one pass if it is of ASCII. Returns its length there. Takes its hash too, or
   * that of its beginning.
   */
  #putKey(key: string): number {
    const memory = this.#memory;
    const length = typeof key === 'string' && key.length <= MAX_KEY_BYTES ? key.length : 0;
    let hash = 0;
    for (let index = 0; index < length; index += 1) {
      const unit = key.charCodeAt(index);
      if (unit === 0 || unit >= 0x80) break;
      memory[MEMORY_KEY + index] = unit;
      hash = Math.imul(hash, 31) + unit;
      if (index === length - 1) {
        this.#hash = hash ^ (hash >>> 15);
        return length;
      }
    }
    this.#hash = hash;
    checkKey(key);
    return memory.write(key, MEMORY_KEY);
  }

  getMany(handle: NativeHandle, table: string, keys: readonly string[]): unknown[] {
    const found = handle.getMany(table, keys);
    this.#at = MEMORY_OUT;
    // One by one, since they stand in the memory in this order. A gap is a key that is missing.
    return Array.from(found, (raw) => {
      if (raw === undefined) return undefined;
      return typeof raw === 'string' ? this.#packed(raw, 0, raw.length) : this.value(raw);
    });
  }

  /** The entries of a page, all of them at once: the next call of native code writes over what stands in the memory. */
  entries(page: RawPage): [key: string, value: unknown][] {
    const entries: [string, unknown][] = [];
    this.#at = MEMORY_OUT;
    for (const item of page) {
      if (typeof item !== 'string') {
        entries.push([item.key, this.value(item.value)]);
        continue;
      }
      let end = 0;
      for (let left = this.#u32(); left > 0; left -= 1) {
        const start = end;
        const middle = start + this.#u32();
        end = middle + this.#u32();
        entries.push([item.substring(start, middle), this.#packed(item, middle, end)]);
      }
    }
    return entries;
  }

  /** The keys of a page without values. */
  keys(page: RawPage): string[] {
    const keys: string[] = [];
    this.#at = MEMORY_OUT;
    for (const item of page) {
      if (typeof item !== 'string') {
        keys.push(item.key);
        continue;
      }
      let end = 0;
      for (let left = this.#u32(); left > 0; left -= 1) {
        const start = end;
        end = start + this.#u32();
        keys.push(item.substring(start, end));
      }
    }
    return keys;
  }

  /** A value that did not come by the memory. */
  value(raw: RawValue): unknown {
    return unpacked(raw, this.#unpacker);
  }

  /** The next value in the memory; its characters stand in `text` from `textAt` to `textEnd`. */
  #packed(text: string, textAt: number, textEnd: number): unknown {
    const first = this.#u32();
    this.#expires = first >= EXPIRES;
    const dictionary = this.#expires ? first - EXPIRES : first;
    const length = this.#u32();
    const start = this.#at;
    this.#at = start + length;
    this.#unpacker.use(this.#memory);
    return this.#unpacker.unpack(start, this.#at, text, textAt, textEnd, dictionary);
  }

  #u32(): number {
    this.#at += 4;
    return this.#view.getUint32(this.#at - 4, true);
  }
}

/** What a scan makes of its pages. */
export type RowsOf<T> = (reader: Reader, page: RawPage) => T[];

export const keysOf: RowsOf<string> = (reader, page) => reader.keys(page);

export function entriesOf<T>(reader: Reader, page: RawPage): [key: string, value: T][] {
  return reader.entries(page) as [key: string, value: T][];
}

export function valuesOf<T>(reader: Reader, page: RawPage): T[] {
  return reader.entries(page).map(([, value]) => value as T);
}

/** What a value stands for that has its parts with it. */
export function unpacked(raw: RawValue, unpacker: Unpacker): unknown {
  if (Buffer.isBuffer(raw)) return raw;
  if ('head' in raw) {
    unpacker.use(raw.head);
    return unpacker.unpack(0, raw.head.length, raw.text, 0, raw.text.length, raw.dictionary % EXPIRES);
  }
  if ('json' in raw) return parse(raw.json);
  throw unsupported(`kind ${raw.kind}`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const message = 'A stored value cannot be decoded: its text is not JSON. Run verify().';
    throw new CairnError('ERR_CAIRN_CORRUPT', message, { cause });
  }
}
