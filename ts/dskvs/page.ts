/**
 * The files of dskvs: a header of 36 bytes, the member, the value. Reads them, and proves them good.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { FileError } from './errors.ts';

/** u16 major, u16 minor, u64 patch, u64 checksum, u64 length of the member, u64 length of the value; big-endian. */
const HEADER_BYTES = 36;
const CHECKSUM_AT = 12;
const MEMBER_LENGTH_AT = 20;
const VALUE_LENGTH_AT = 28;
/** The digits of SHA-1 that the name of a file ends with. */
const DIGITS_IN_NAME = 40;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A record of dskvs. */
export interface Page {
  /** Without the separator that it begins with in the file. */
  readonly member: string;
  readonly value: Buffer;
}

/**
 * The record in the file `name`, which is at `path`, with the content `bytes`.
 *
 * @throws {@link FileError} if it is damaged, or no file of dskvs
 */
export function parsePage(bytes: Buffer, name: string, path: string): Page {
  const refusal = (problem: string) => new FileError(problem, path);
  if (bytes.length < HEADER_BYTES) {
    throw refusal(`Error creating header, received error <${bytes.length} bytes of ${HEADER_BYTES}>`);
  }
  if (bytes.readUInt16BE(0) > 0) throw refusal('File version incompatible with this version (0.4.2)');
  const memberLength = bytes.readBigUInt64BE(MEMBER_LENGTH_AT);
  const valueLength = bytes.readBigUInt64BE(VALUE_LENGTH_AT);
  const rest = BigInt(bytes.length - HEADER_BYTES);
  if (memberLength > rest) throw refusal(`Member should have length ${memberLength} but the file has ${rest} for it`);
  if (memberLength + valueLength !== rest) {
    throw refusal(`Payload should have length ${valueLength} but was ${rest - memberLength}`);
  }
  const memberEnd = HEADER_BYTES + Number(memberLength);
  const value = bytes.subarray(memberEnd);
  if (checksum(value) !== bytes.readBigUInt64BE(CHECKSUM_AT)) {
    throw refusal('Failed checksum check, file might be corrupted, or not a dskvs file');
  }
  return { member: memberOf(bytes.subarray(HEADER_BYTES, memberEnd), name, refusal), value };
}

/** The checksum does not cover the member; the name of the file does. */
function memberOf(bytes: Buffer, name: string, refusal: (problem: string) => FileError): string {
  if (sha1(bytes).toString('hex') !== name.slice(-DIGITS_IN_NAME)) {
    throw refusal('The member in the file is not the one that the name of the file is made of');
  }
  let member: string;
  try {
    member = utf8.decode(bytes);
  } catch {
    throw refusal('The member is not UTF-8, so that no string can name it');
  }
  if (!/^[/\\]./s.test(member)) throw refusal('The member has no separator in front, or nothing behind it');
  return member.slice(1);
}

/**
 * The checksum of dskvs: what stands in front in the SHA-1, read as an unsigned varint, and 0 where that has more than 64
 * bits. dskvs does not open a store that has such a file, though it wrote it.
 */
function checksum(value: Buffer): bigint {
  let number = 0n;
  let shift = 0n;
  for (const byte of sha1(value)) {
    number |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) return number < 1n << 64n ? number : 0n;
    shift += 7n;
  }
  return 0n;
}

function sha1(bytes: Buffer): Buffer {
  return createHash('sha1').update(bytes).digest();
}
