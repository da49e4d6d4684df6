/**
 * Values as JSON and back, exactly. Plain JSON stands for itself. What JSON lacks is an object with one member, whose name
 * is `$` and what JavaScript calls the kind of value: `{"$Date":"2026-11-21T09:00:00.000Z"}`. An object that looks like that
 * by itself, one member whose name begins with `$`, gets another `$` in front of the name.
 *
 * @module
 */
import { VIEWS, type View } from '../../elements.ts';
import { describe } from '../../validate.ts';

/** Text that stands for no value. The message says why, and what to do. */
export class NotDecodable extends Error {}

type Decode = (content: unknown) => unknown;

/** The numbers that JSON has no text for. */
const NUMBERS = new Map([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
  ['-0', -0],
]);

const ISO_TIME = /^(?:\d{4}|[+-]\d{6})-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d))?$/;

const DECODERS: ReadonlyMap<string, Decode> = new Map<string, Decode>([
  ['$undefined', (content) => (content === true ? undefined : refuse('$undefined', content, 'true'))],
  ['$Number', numberOf],
  ['$BigInt', bigintOf],
  ['$Date', dateOf],
  ['$Map', mapOf],
  ['$Set', (content) => new Set(listOf('$Set', content).map(decode))],
  ['$Buffer', (content) => bytesOf('$Buffer', content)],
  ['$ArrayBuffer', (content) => new Uint8Array(bytesOf('$ArrayBuffer', content)).buffer],
  ...VIEWS.map((Type): [string, Decode] => [`$${Type.name}`, (content) => viewOf(Type, content)]),
]);

/**
 * A stored value as what `JSON.stringify` takes. Never changes `value`, and returns parts of it where nothing is to be done.
 *
 * @example
 * ```ts
 * JSON.stringify(encode({ born: new Date(0), tags: new Set(['a']) }));
 * // {"born":{"$Date":"1970-01-01T00:00:00.000Z"},"tags":{"$Set":["a"]}}
 * ```
 */
export function encode(value: unknown): unknown {
  if (typeof value === 'number') return encodeNumber(value);
  if (typeof value === 'bigint') return { $BigInt: String(value) };
  if (value === undefined) return { $undefined: true };
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return encodeItems(value);
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null ? encodeMembers(value) : encodeSpecial(value);
}

/**
 * The value that {@link encode} made `json` of, a tree that `JSON.parse` has made and that may be changed here.
 *
 * @throws NotDecodable if an object looks like a kind of value and is none
 *
 * @example
 * ```ts
 * decode(JSON.parse('{"$BigInt":"12"}')); // 12n
 * ```
 */
export function decode(json: unknown): unknown {
  if (typeof json !== 'object' || json === null) return json;
  if (Array.isArray(json)) {
    for (let index = 0; index < json.length; index += 1) {
      const item = json[index];
      if (typeof item === 'object') json[index] = decode(item);
    }
    return json;
  }
  const members = json as Record<string, unknown>;
  const names = Object.keys(members);
  const [first] = names;
  if (names.length === 1 && first?.startsWith('$')) return decodeTagged(first, members[first]);
  for (const name of names) {
    const member = members[name];
    // A member `__proto__` is an own one here, as JSON.parse makes it, so that this sets it and no prototype.
    if (typeof member === 'object') members[name] = decode(member);
  }
  return members;
}

function encodeNumber(value: number): unknown {
  if (Number.isFinite(value) && !Object.is(value, -0)) return value;
  return { $Number: Object.is(value, -0) ? '-0' : String(value) };
}

/** The same array, unless one of its items is to be another. */
function encodeItems(items: readonly unknown[]): readonly unknown[] {
  let copy: unknown[] | undefined;
  for (let index = 0; index < items.length; index += 1) {
    const item = encode(items[index]);
    if (item === items[index]) continue;
    copy ??= items.slice();
    copy[index] = item;
  }
  return copy ?? items;
}

function encodeMembers(members: object): unknown {
  const entries = Object.entries(members);
  const [first] = entries;
  if (entries.length === 1 && first?.[0].startsWith('$')) return { [`$${first[0]}`]: encode(first[1]) };
  let changed = false;
  for (const entry of entries) {
    const member = encode(entry[1]);
    changed ||= member !== entry[1];
    entry[1] = member;
  }
  // It defines members, where an assignment to `__proto__` would be none.
  return changed ? Object.fromEntries(entries) : members;
}

function encodeSpecial(value: object): unknown {
  if (value instanceof Date) return { $Date: Number.isNaN(value.getTime()) ? null : value.toISOString() };
  if (value instanceof Map) return { $Map: Array.from(value, ([key, item]) => [encode(key), encode(item)]) };
  if (value instanceof Set) return { $Set: Array.from(value, encode) };
  if (Buffer.isBuffer(value)) return { $Buffer: value.toString('base64') };
  if (value instanceof ArrayBuffer) return { $ArrayBuffer: Buffer.from(value).toString('base64') };
  if (ArrayBuffer.isView(value)) {
    const { buffer, byteOffset, byteLength } = value;
    return { [`$${value.constructor.name}`]: Buffer.from(buffer, byteOffset, byteLength).toString('base64') };
  }
  throw new TypeError(`No database has a value like this one: ${describe(value)}.`);
}

function decodeTagged(name: string, content: unknown): unknown {
  if (name.startsWith('$$')) return { [name.slice(1)]: decode(content) };
  const decoder = DECODERS.get(name);
  if (decoder !== undefined) return decoder(content);
  throw new NotDecodable(
    `an object with the one member ${describe(name)} would be a kind of value that there is none of; ` +
      `if it is an object like any other, write ${describe(`$${name}`)}`,
  );
}

function numberOf(content: unknown): number {
  return NUMBERS.get(content as string) ?? refuse('$Number', content, [...NUMBERS.keys()].join(', '));
}

function bigintOf(content: unknown): bigint {
  if (typeof content !== 'string' || !/^-?\d+$/.test(content)) return refuse('$BigInt', content, 'decimal digits');
  return BigInt(content);
}

function dateOf(content: unknown): Date {
  if (content === null) return new Date(Number.NaN);
  const date = new Date(typeof content === 'string' && ISO_TIME.test(content) ? content : Number.NaN);
  return Number.isNaN(date.getTime()) ? refuse('$Date', content, 'a time such as 2026-11-21T09:00:00.000Z') : date;
}

function mapOf(content: unknown): Map<unknown, unknown> {
  const entries = listOf('$Map', content).map((entry): [unknown, unknown] => {
    if (!Array.isArray(entry) || entry.length !== 2) return refuse('$Map', content, 'a list of pairs');
    return [decode(entry[0]), decode(entry[1])];
  });
  return new Map(entries);
}

function listOf(name: string, content: unknown): unknown[] {
  return Array.isArray(content) ? content : refuse(name, content, 'a list');
}

function viewOf(Type: View, content: unknown): ArrayBufferView {
  const name = `$${Type.name}`;
  const { buffer } = new Uint8Array(bytesOf(name, content));
  const size = (Type as unknown as { BYTES_PER_ELEMENT?: number }).BYTES_PER_ELEMENT ?? 1;
  return buffer.byteLength % size === 0 ? new Type(buffer) : refuse(name, content, `elements of ${size} bytes`);
}

function bytesOf(name: string, content: unknown): Buffer {
  const bytes = typeof content === 'string' ? Buffer.from(content, 'base64') : undefined;
  // Decoding passes over what is not Base64, and so would lose what was meant by it.
  return bytes?.toString('base64') === content && bytes !== undefined ? bytes : refuse(name, content, 'Base64');
}

function refuse(name: string, content: unknown, wanted: string): never {
  throw new NotDecodable(`the content of ${name} is ${describe(content)}; give ${wanted}`);
}
