/**
 * A synchronous map from key to bytes, in one table of a database.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { CairnError, translated } from '../errors.ts';
import { inTurnSync } from '../import.ts';
import { ALL_KEYS, firstPage, rowsNow } from '../iterate.ts';
import {
  KIND_BYTES,
  type Level,
  MEMORY_KEY,
  MEMORY_TABLE,
  type NativeHandle,
  native,
  type OpenOptions,
  type Outcomes,
  type RawEntry,
  type RawValue,
  SCAN_VALUES,
} from '../native.ts';
import type { Operation } from '../operation.ts';
import { MAX_VALUE_BYTES, Packer } from '../pack.ts';
import type { DatabaseStats } from '../reports.ts';
import { RequestBuffer } from '../request.ts';
import { MAX_KEY_BYTES } from '../validate.ts';

/** The only table. */
export const TABLE = 'entries';
/** Stands in front of a key, as the database takes no empty one. */
const SHORT = '=';
/** Stands in front of the SHA-256 of a key that the database would find too long; such a key stands before its value. */
const LONG = '>';
const LONGEST_SHORT_KEY = MAX_KEY_BYTES - SHORT.length;

/** A key and what is to be under it; `undefined`: nothing. */
export type Write = readonly [key: string, value: Uint8Array | undefined];

/** Bytes of the length of a long key. */
const LENGTH_BYTES = 4;
/** On the disk when the call returns. */
const FULL: Level = 2;

/** Never used, as bytes are not packed, but requests have one. */
const packer = new Packer();

export class Store {
  readonly #handle: NativeHandle;
  readonly #memory: Buffer;
  readonly #tableBytes: number;
  readonly #request = new RequestBuffer();

  constructor(directory: string, options: OpenOptions) {
    // Nothing is told later, since no call is one that is not waited for.
    this.#handle = translated(() => native.openSync(directory, options, () => undefined));
    this.#memory = Buffer.from(this.#handle.memory);
    this.#tableBytes = this.#memory.write(TABLE, MEMORY_TABLE);
  }

  /** The value under a key, as a Buffer of the caller's own. */
  get(key: string): Buffer | null {
    const found = translated(() => {
      const nameBytes = this.#memory.write(nameOf(key), MEMORY_KEY);
      return this.#handle.get(this.#tableBytes, nameBytes);
    });
    if (found === undefined) return null;
    return isLong(key) ? split(bytesOf(found)).value : bytesOf(found);
  }

  /** Writes all of it at once; it is on the disk when this returns. What became of each is as in {@link Outcomes}. */
  write(writes: Iterable<Write>): Outcomes {
    const request = this.#request;
    try {
      for (const [key, value] of writes) request.append(operationOf(key, value), undefined, false, packer);
      return translated(() => this.#handle.commitSync(request.bytes, request.length, FULL));
    } finally {
      request.clear();
    }
  }

  count(): number {
    return translated(() => this.#handle.tableSize(TABLE));
  }

  /** All keys and values as they are when the first one is asked for, long keys last. */
  *entries(): Generator<[key: string, value: Buffer], null, void> {
    const open = () => firstPage(this.#handle, TABLE, ALL_KEYS, SCAN_VALUES, 1);
    // One by one, since a page of large values could be more than there is memory.
    for (const { key: name, value } of rowsNow(open, (page) => page as RawEntry[], 1)) {
      if (name.startsWith(SHORT)) yield [name.slice(SHORT.length), bytesOf(value)];
      else {
        const long = split(bytesOf(value));
        yield [long.key.toString(), long.value];
      }
    }
    return null;
  }

  tables(): string[] {
    return translated(() => this.#handle.listTables());
  }

  drop(table: string): void {
    translated(() => this.#handle.dropTableSync(table));
  }

  stats(): DatabaseStats {
    return translated(() => this.#handle.stats());
  }

  /** Does `work` while no other thread has its turn in this directory. */
  inTurn<T>(work: () => T): T {
    return inTurnSync(this.#handle, work);
  }

  close(): void {
    translated(() => this.#handle.closeSync());
  }
}

/** Whether there is room for a value under a key, both given by their bytes. */
export function fits(keyBytes: number, valueBytes: number): boolean {
  return valueBytes + (keyBytes > LONGEST_SHORT_KEY ? LENGTH_BYTES + keyBytes : 0) <= MAX_VALUE_BYTES;
}

function isLong(key: string): boolean {
  return Buffer.byteLength(key) > LONGEST_SHORT_KEY;
}

/** What a key is called in the table. */
function nameOf(key: string): string {
  return isLong(key) ? LONG + createHash('sha256').update(key).digest('hex') : SHORT + key;
}

function operationOf(key: string, value: Uint8Array | undefined): Operation {
  const bytes = value !== undefined && isLong(key) ? join(Buffer.from(key), value) : value;
  const packed = bytes && ({ kind: KIND_BYTES, bytes, start: 0, end: bytes.length, mapped: false } as const);
  return {
    table: TABLE,
    key: nameOf(key),
    value: packed,
    expiration: undefined,
    mapping: undefined,
    ifVersion: undefined,
    origin: undefined,
  };
}

/** What is stored under a long key: the length of the key, the key, and the value. */
function join(key: Buffer, value: Uint8Array): Buffer {
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32LE(key.length);
  return Buffer.concat([length, key, value]);
}

function split(stored: Buffer): { readonly key: Buffer; readonly value: Buffer } {
  const end = LENGTH_BYTES + stored.readUInt32LE();
  return { key: stored.subarray(LENGTH_BYTES, end), value: Buffer.from(stored.subarray(end)) };
}

function bytesOf(value: string | RawValue): Buffer {
  if (Buffer.isBuffer(value)) return value;
  throw new CairnError('ERR_CAIRN_UNSUPPORTED', 'A stored value is no Buffer: another program wrote it.');
}
