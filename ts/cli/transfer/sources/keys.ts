/**
 * Keys that are bytes in another store, as the text that keys are here.
 *
 * @module
 */
import { isUtf8 } from 'node:buffer';
import { NotDecodable } from '../jsonl.ts';

/** How a key of bytes becomes text: what UTF-8 says, two digits for each byte, or the number that eight bytes are. */
export type KeyForm = 'utf8' | 'hex' | 'u64';

export const KEY_FORMS: readonly KeyForm[] = ['utf8', 'hex', 'u64'];

/** @throws NotDecodable */
export function keyOfBytes(bytes: Buffer, form: KeyForm): string {
  if (form === 'hex') return bytes.toString('hex');
  if (form === 'u64') {
    if (bytes.length === 8) return String(bytes.readBigUInt64LE());
    throw new NotDecodable(
      `the key ${shown(bytes)} has ${bytes.length} bytes, and an integer has 8; give another --keys`,
    );
  }
  if (isUtf8(bytes) && !bytes.includes(0)) return bytes.toString();
  throw new NotDecodable(`the key ${shown(bytes)} is not text in UTF-8; import with --keys hex, or u64 for integers`);
}

function shown(bytes: Buffer): string {
  const digits = bytes.toString('hex');
  return digits.length > 40 ? `${digits.slice(0, 40)}…` : digits;
}
