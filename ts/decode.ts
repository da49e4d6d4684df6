/**
 * What is stored, as the JavaScript value that it was. Every call makes a fresh value: nothing that a reader does to it
 * reaches the database.
 *
 * @module
 */
import { elementsFrom } from './elements.ts';
import { CairnError } from './errors.ts';
import { KIND_TAGGED, KIND_TYPED, type RawValue } from './native.ts';

/** Decodes what native code returned. */
export function decode(raw: RawValue): unknown {
  if (typeof raw === 'string') return parse(raw);
  if (Buffer.isBuffer(raw)) return raw;
  const { kind, text, bytes } = raw as Exclude<RawValue, string | Buffer>;
  if (kind === KIND_TAGGED && text !== undefined) return reviveText(text);
  if (kind === KIND_TYPED && bytes !== undefined) return elements(bytes[0], bytes.subarray(1));
  throw unsupported(`kind ${kind}`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw damaged('its text is not JSON', cause);
  }
}

function reviveText(text: string): unknown {
  const node = parse(text);
  try {
    return revive(node);
  } catch (error) {
    throw error instanceof CairnError ? error : damaged('a tag in its text does not hold what it should', error);
  }
}

/** Replaces the tags inside `node`, which JSON.parse has just made, in place. */
function revive(node: unknown): unknown {
  if (typeof node !== 'object' || node === null) return node;
  if (Array.isArray(node)) {
    for (let index = 0; index < node.length; index += 1) node[index] = revive(node[index]);
    return node;
  }
  const keys = Object.keys(node);
  const members = node as Record<string, unknown>;
  const first = keys[0];
  return keys.length === 1 && first?.[0] === '$' ? untag(first, members[first]) : reviveMembers(members, keys);
}

function reviveMembers(members: Record<string, unknown>, keys: readonly string[]): unknown {
  // JSON.parse has made each of them an own member, `__proto__` too, so no assignment here reaches a prototype.
  for (const key of keys) members[key] = revive(members[key]);
  return members;
}

function untag(tag: string, content: unknown): unknown {
  switch (tag) {
    case '$date':
      return new Date(content === null ? Number.NaN : (content as number));
    case '$bigint':
      return BigInt(content as string);
    case '$number':
      return Number(content);
    case '$undefined':
      return undefined;
    case '$bytes':
      return Buffer.from(content as string, 'base64');
    case '$typed': {
      const [elementType, base64] = content as [number, string];
      return elements(elementType, Buffer.from(base64, 'base64'));
    }
    case '$map':
      return new Map((content as [unknown, unknown][]).map(([key, value]) => [revive(key), revive(value)]));
    case '$set':
      return new Set((content as unknown[]).map(revive));
    case '$object':
      return reviveMembers(content as Record<string, unknown>, Object.keys(content as object));
    default:
      throw unsupported(`tag ${JSON.stringify(tag)}`);
  }
}

function elements(elementType: number | undefined, bytes: Uint8Array): unknown {
  const value = elementType === undefined ? undefined : elementsFrom(elementType, bytes);
  if (value === undefined) throw unsupported(`element type ${elementType} with ${bytes.byteLength} bytes`);
  return value;
}

function unsupported(what: string): CairnError {
  return new CairnError(
    'ERR_CAIRN_UNSUPPORTED',
    `This version of CairnDB cannot read a value of ${what}. Read it with the version that wrote it, or a newer one.`,
  );
}

function damaged(problem: string, cause: unknown): CairnError {
  return new CairnError('ERR_CAIRN_CORRUPT', `A stored value cannot be decoded: ${problem}. Run verify().`, { cause });
}
