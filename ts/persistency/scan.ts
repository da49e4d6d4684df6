/**
 * The records of an `entries.db`, one by one, each checked by its hash together with its block in `data.db`.
 *
 * @module
 */
import { CairnError } from '../errors.ts';
import { MAX_VALUE_BYTES } from '../pack.ts';
import {
  checkOfBlock,
  type Entry,
  entryOf,
  GENERATIONS,
  type Generation,
  isBlank,
  isSealed,
  isTombstone,
  MAGIC,
  NEWEST,
} from './format.ts';
import { DATA_FILE, ENTRIES_FILE, type Originals, type Source } from './originals.ts';
import { fits } from './store.ts';

/** So many records with the right hash settle the generation. Even one could: no other one has it by chance. */
const ENOUGH = 16;
/** Records that are read at once. */
const RECORDS_AT_ONCE = 4096;
/** Pieces in which a block is read of which only the hash is wanted. */
const PIECE_BYTES = 1024 * 1024;

/** What a record turned out to be. `offset` is where it begins. */
export type Finding =
  | {
      readonly state: 'good';
      readonly offset: number;
      readonly version: number;
      readonly key: string;
      readonly value: Buffer;
    }
  | { readonly state: 'damaged'; readonly offset: number; readonly why: string }
  | { readonly state: 'free' };

/**
 * Everything that stands in the files, in the order of `entries.db`; of a key there may be several versions.
 *
 * @throws {@link CairnError} `ERR_CAIRN_CORRUPT` if there are records, but none that is whole: then it cannot be told how
 * long one is; `ERR_CAIRN_TOO_LARGE` for a whole one that a {@link Store} does not take.
 */
export function* scan(originals: Originals): Generator<Finding, void, void> {
  const { entries, data } = originals;
  // What is shorter than any record is one whose writing was interrupted, maybe the first of all.
  const isShort = entries.size < MAGIC.length + NEWEST.stride;
  const generation = isShort ? NEWEST : generationOf(originals);
  if (generation === undefined) return checkBlank(entries);
  for (const [offset, record] of recordsOf(entries, generation)) {
    if (record.length === generation.stride) yield examine(generation, offset, record, data);
    else yield { state: 'damaged', offset, why: `the file ends in it, after ${record.length} bytes` };
  }
}

/** The generation of which most records are whole. */
export function generationOf({ entries, data }: Originals): Generation | undefined {
  let found: Generation | undefined;
  let most = 0;
  for (const generation of GENERATIONS) {
    let whole = 0;
    for (const [offset, record] of recordsOf(entries, generation)) {
      if (record.length < generation.stride || !proves(generation, offset, record, data)) continue;
      whole += 1;
      if (whole === ENOUGH) return generation;
    }
    if (whole > most) [found, most] = [generation, whole];
  }
  return found;
}

function proves(generation: Generation, offset: number, record: Buffer, data: Source): boolean {
  const { state } = examine(generation, offset, record, data);
  return state === 'good' || (state === 'free' && isTombstone(generation, record));
}

/** The records with their offsets; the last one may be cut off. */
function* recordsOf(entries: Source, { stride }: Generation): Generator<[offset: number, record: Buffer], void, void> {
  const length = entries.size - MAGIC.length;
  let offset = MAGIC.length;
  for (const piece of entries.pieces(offset, length, stride * RECORDS_AT_ONCE)) {
    for (let at = 0; at < piece.length; at += stride) {
      const record = piece.subarray(at, at + stride);
      yield [offset, record];
      offset += record.length;
    }
  }
}

function examine(generation: Generation, offset: number, record: Buffer, data: Source): Finding {
  const damaged = (why: string): Finding => ({ state: 'damaged', offset, why });
  if (record[0] !== 0) return damaged(`its version is ${record[0]}, not 0`);
  if (isBlank(generation, record)) return { state: 'free' };
  if (!isSealed(generation, record)) return damaged('its hash is not that of its bytes');
  const entry = entryOf(generation, record);
  if (entry.location === 0) return { state: 'free' };
  const end = entry.location + entry.keySize + entry.valueSize;
  const leads = generation.leads.filter((lead) => entry.location >= MAGIC.length && end + lead <= data.size);
  if (leads.length === 0) return damaged(`its data would lie outside of ${DATA_FILE}`);
  for (const lead of leads) {
    const block = readBlock(generation, record, data, entry, lead);
    if (block === undefined) continue;
    if (isTooLarge(entry)) throw tooLarge(offset, entry);
    if (lead === 1 && block[0] !== 0) return damaged(`its data is of version ${block[0]}, not 0`);
    const key = block.toString('utf8', lead, lead + entry.keySize);
    return { state: 'good', offset, version: entry.version, key, value: block.subarray(lead + entry.keySize) };
  }
  return damaged(`its hash is not that of its data in ${DATA_FILE}`);
}

/** The block, or the beginning of one that is too large; `undefined` if its hash is not the one that was expected. */
function readBlock(
  generation: Generation,
  record: Buffer,
  data: Source,
  entry: Entry,
  lead: number,
): Buffer | undefined {
  const length = lead + entry.keySize + entry.valueSize;
  const { hash, expected } = checkOfBlock(generation, record);
  let first: Buffer | undefined;
  for (const piece of data.pieces(entry.location, length, isTooLarge(entry) ? PIECE_BYTES : length)) {
    first ??= piece;
    hash.update(piece);
  }
  return hash.digest().equals(expected) ? (first ?? Buffer.alloc(0)) : undefined;
}

function isTooLarge({ keySize, valueSize }: Entry): boolean {
  return !fits(keySize, valueSize);
}

function tooLarge(offset: number, { keySize, valueSize }: Entry): CairnError {
  const message =
    `The record at byte ${offset} of ${ENTRIES_FILE} has a key of ${keySize} bytes and a value of ${valueSize}; ` +
    `CairnDB has room for ${MAX_VALUE_BYTES}. Nothing was taken over. Split it with Persistency, and open the folder ` +
    'again once the old version has been reclaimed.';
  return new CairnError('ERR_CAIRN_TOO_LARGE', message);
}

/** Throws if there is anything but zeros behind the magic bytes. */
function checkBlank(entries: Source): void {
  for (const piece of entries.pieces(MAGIC.length, entries.size, PIECE_BYTES)) {
    if (piece.every((byte) => byte === 0)) continue;
    const message =
      `${entries.path} has records, but none that is whole, in any of the formats of Persistency. ` +
      `Restore it and ${DATA_FILE} from a backup, or move both away to begin anew.`;
    throw new CairnError('ERR_CAIRN_CORRUPT', message, { path: entries.path, offset: MAGIC.length });
  }
}
