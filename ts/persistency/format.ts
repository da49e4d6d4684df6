/**
 * The four generations of records that Persistency wrote to `entries.db`, and how each proves that it is whole. Functions
 * on bytes alone.
 *
 * A record says where in `data.db` a block lies, and what it holds: maybe a version byte, then the key, then the value.
 * Neither the magic bytes nor the version byte tell the generations apart; the hashes do.
 *
 * @module
 */
import { createHash, type Hash } from 'node:crypto';

/** Both files begin with these bytes. */
export const MAGIC = Buffer.from([0xfa, 0xf2, 0xd6, 0x91]);

/** Where what stands in a record of one generation. Offsets are in its body, which follows the hash. */
export interface Generation {
  /** The versions of Persistency that wrote it. */
  readonly versions: string;
  /** Bytes of a record: a version byte, the hash, the body. */
  readonly stride: number;
  readonly digest: 'sha256' | 'shake128';
  /** Bytes of each hash. */
  readonly hashSize: number;
  /**
   * How many bytes of the body the hash of the record covers, and where the hash of the block stands; `null`: one hash
   * covers the body and the block.
   */
  readonly hashes: { readonly covered: number; readonly ofBlock: number } | null;
  /** Where the data version stands, and behind it the sizes of key and value. */
  readonly version: number;
  /** Bytes of the size of the value. */
  readonly sizeBytes: 4 | 6;
  /** How many version bytes a block may begin with; one that has it is tried first. */
  readonly leads: readonly (0 | 1)[];
}

/** That of the versions 2.0, which has the shortest records. */
export const NEWEST: Generation = {
  versions: '2.0',
  stride: 36,
  digest: 'shake128',
  hashSize: 16,
  hashes: null,
  version: 7,
  sizeBytes: 4,
  leads: [1],
};

/** The newest first. */
export const GENERATIONS: readonly Generation[] = [
  NEWEST,
  {
    versions: '0.0.7, 0.0.8, 0.0.10 to 1.0',
    stride: 52,
    digest: 'shake128',
    hashSize: 16,
    hashes: { covered: 35, ofBlock: 7 },
    version: 23,
    sizeBytes: 4,
    leads: [1, 0],
  },
  {
    versions: '0.0.9',
    stride: 55,
    digest: 'shake128',
    hashSize: 16,
    hashes: { covered: 22, ofBlock: 22 },
    version: 7,
    sizeBytes: 4,
    leads: [0],
  },
  {
    versions: '0.0.2 to 0.0.6',
    stride: 86,
    digest: 'sha256',
    hashSize: 32,
    hashes: { covered: 53, ofBlock: 7 },
    version: 39,
    sizeBytes: 6,
    leads: [0],
  },
];

/** What a record says. Nothing of it may be relied upon before its hash was found to be right. */
export interface Entry {
  /** The byte of `data.db` at which the block begins; 0: the record is free. */
  readonly location: number;
  /** Counts the versions of a key, and begins again at 0 after 2³² of them. */
  readonly version: number;
  readonly keySize: number;
  readonly valueSize: number;
}

/** Reads a record, of which nothing is checked. */
export function entryOf(generation: Generation, record: Buffer): Entry {
  const body = bodyOf(generation, record);
  const { version, sizeBytes } = generation;
  return {
    // The last of the seven bytes is the highest one. What is too large to be exact is beyond the end of any file.
    location: body.readUIntBE(0, 6) + (body[6] as number) * 2 ** 48,
    version: body.readUInt32BE(version),
    keySize: body.readUInt32BE(version + 4),
    valueSize: body.readUIntBE(version + 8, sizeBytes),
  };
}

/** Whether a record is one that was deleted, or never used. */
export function isBlank(generation: Generation, record: Buffer): boolean {
  return bodyOf(generation, record).every((byte) => byte === 0);
}

/** Whether a blank record proves its generation: its hash is that of a whole body of zeros. */
export function isTombstone(generation: Generation, record: Buffer): boolean {
  return isBlank(generation, record) && hasHash(generation, record, bodyOf(generation, record).length);
}

/** Whether the hash of a record is right, as far as that does not depend on its block. */
export function isSealed(generation: Generation, record: Buffer): boolean {
  return generation.hashes === null || hasHash(generation, record, generation.hashes.covered);
}

/** A hash that is to be updated with a block, and what must come out. */
export interface BlockCheck {
  readonly hash: Hash;
  readonly expected: Buffer;
}

/** How it is found out whether a block is the one that a record speaks of. */
export function checkOfBlock(generation: Generation, record: Buffer): BlockCheck {
  const { hashes, hashSize } = generation;
  const body = bodyOf(generation, record);
  const hash = newHash(generation);
  if (hashes === null) return { hash: hash.update(body), expected: hashOf(generation, record) };
  return { hash, expected: body.subarray(hashes.ofBlock, hashes.ofBlock + hashSize) };
}

/** Whether version `a` is newer than `b`. They are counted modulo 2³²: the newer one is less than half of it ahead. */
export function isNewer(a: number, b: number): boolean {
  const ahead = (a - b) >>> 0;
  return ahead > 0 && ahead < 2 ** 31;
}

function bodyOf({ hashSize, stride }: Generation, record: Buffer): Buffer {
  return record.subarray(1 + hashSize, stride);
}

function hashOf({ hashSize }: Generation, record: Buffer): Buffer {
  return record.subarray(1, 1 + hashSize);
}

/** Whether the hash of a record is that of so many bytes of its body. */
function hasHash(generation: Generation, record: Buffer, length: number): boolean {
  const covered = bodyOf(generation, record).subarray(0, length);
  return newHash(generation).update(covered).digest().equals(hashOf(generation, record));
}

function newHash({ digest, hashSize }: Generation): Hash {
  return digest === 'shake128' ? createHash(digest, { outputLength: hashSize }) : createHash(digest);
}
