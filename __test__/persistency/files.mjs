// Writes entries.db and data.db as each generation of Persistency did, from the description of their formats alone.
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const MAGIC = Buffer.from([0xfa, 0xf2, 0xd6, 0x91]);

const shake = (...parts) => createHash('shake128', { outputLength: 16 }).update(Buffer.concat(parts)).digest();
const sha256 = (...parts) => createHash('sha256').update(Buffer.concat(parts)).digest();

function uint(value, bytes) {
  const buffer = Buffer.alloc(bytes);
  if (bytes === 6) buffer.writeUIntBE(value, 0, 6);
  else buffer.writeUInt32BE(value);
  return buffer;
}

/** Six bytes with the highest first, and behind them the byte above these. */
const locationOf = (location) =>
  Buffer.concat([uint(location % 2 ** 48, 6), Buffer.of(Math.floor(location / 2 ** 48))]);

const VERSION = Buffer.of(0);

/** Of each generation: the block of a key and a value, a record, and a record that was deleted. */
export const generations = {
  '2.0.3': {
    block: (key, value) => Buffer.concat([VERSION, key, value]),
    record({ location, version, keySize, valueSize }, block) {
      const body = Buffer.concat([locationOf(location), uint(version, 4), uint(keySize, 4), uint(valueSize, 4)]);
      return Buffer.concat([VERSION, shake(body, block), body]);
    },
    tombstone: () => Buffer.alloc(36),
  },
  '1.0.2': wideRecords((key, value) => Buffer.concat([VERSION, key, value])),
  '0.0.8': wideRecords((key, value) => Buffer.concat([key, value])),
  '0.0.9': {
    block: (key, value) => Buffer.concat([key, value]),
    record({ location, version, keySize, valueSize }, block) {
      const sizes = [uint(version, 4), uint(keySize, 4), uint(valueSize, 4)];
      const head = Buffer.concat([locationOf(location), ...sizes, Buffer.alloc(3)]);
      return Buffer.concat([VERSION, shake(head), head, shake(block)]);
    },
    tombstone: () => Buffer.concat([VERSION, shake(Buffer.alloc(38)), Buffer.alloc(38)]),
  },
  '0.0.5': {
    block: (key, value) => Buffer.concat([key, value]),
    record({ location, version, keySize, valueSize }, block) {
      const sizes = [uint(version, 4), uint(keySize, 4), uint(valueSize, 6)];
      const body = Buffer.concat([locationOf(location), sha256(block), ...sizes]);
      return Buffer.concat([VERSION, sha256(body), body]);
    },
    tombstone: () => Buffer.concat([VERSION, sha256(Buffer.alloc(53)), Buffer.alloc(53)]),
  },
};

function wideRecords(block) {
  return {
    block,
    record({ location, version, keySize, valueSize }, bytes) {
      const sizes = [uint(version, 4), uint(keySize, 4), uint(valueSize, 4)];
      const body = Buffer.concat([locationOf(location), shake(bytes), ...sizes]);
      return Buffer.concat([VERSION, shake(body), body]);
    },
    tombstone: () => Buffer.concat([VERSION, shake(Buffer.alloc(35)), Buffer.alloc(35)]),
  };
}

/**
 * The bytes of both files with these records: `{ key, value, version }`, or `{ deleted: true }`. `change` may damage a
 * record: it is given a copy of it. `keySize`, `valueSize` and `location` say something else than what is there.
 */
export function filesOf(generation, records) {
  const { block, record, tombstone } = generations[generation];
  const entries = [MAGIC];
  const data = [MAGIC];
  let location = MAGIC.length;
  for (const { key, value, version = 0, deleted, change, ...said } of records) {
    if (deleted) {
      entries.push(tombstone());
      continue;
    }
    const [keyBytes, valueBytes] = [Buffer.from(key), Buffer.from(value)];
    const bytes = block(keyBytes, valueBytes);
    const entry = { location, version, keySize: keyBytes.length, valueSize: valueBytes.length, ...said };
    const written = record(entry, bytes);
    change?.(written);
    entries.push(written);
    data.push(bytes);
    location += bytes.length;
  }
  return { entries: Buffer.concat(entries), data: Buffer.concat(data) };
}

/** Puts both files into a new folder. */
export function writeFiles(folder, { entries, data }) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'entries.db'), entries);
  writeFileSync(join(folder, 'data.db'), data);
  return folder;
}
