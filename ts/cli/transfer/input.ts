/**
 * A file or standard input, as text by pieces.
 *
 * @module
 */
import { constants, isUtf8 } from 'node:buffer';
import { createReadStream, statSync } from 'node:fs';
import { addAbortSignal, type Readable } from 'node:stream';
import { CairnError } from '../../errors.ts';
import { type InputError, unreadable } from './record.ts';

/** What is read at once, in bytes. */
const CHUNK_BYTES = 128 * 1024;
/** No string is longer, and so no line can be. */
const LONGEST = constants.MAX_STRING_LENGTH;
const LINE_FEED = 0x0a;
const MARK = Buffer.from([0xef, 0xbb, 0xbf]);

/** Something to read: its name for messages, and its size in bytes, 0 if that is unknown. */
export interface Input {
  readonly name: string;
  readonly size: number;
  readonly chunks: AsyncIterable<Buffer>;
}

/** Whole lines, without their ends. */
export interface Lines {
  readonly lines: readonly string[];
  /** The number of the first, from 1 on. */
  readonly first: number;
  /** How many bytes of the input have been read after them. */
  readonly done: number;
}

/** A file; it is opened when the first chunk is asked for. `signal` ends the reading, also where nothing comes. */
export function inputOfFile(path: string, signal: AbortSignal): Input {
  const { size } = statSync(path);
  return { name: path, size, chunks: chunksOf(path, signal) };
}

/** A stream that has begun. `signal` ends the reading, also where nothing comes. */
export function inputOfStream(name: string, stream: Readable, signal: AbortSignal): Input {
  return { name, size: 0, chunks: addAbortSignal(signal, stream) };
}

async function* chunksOf(path: string, signal: AbortSignal): AsyncGenerator<Buffer, void, void> {
  try {
    yield* createReadStream(path, { highWaterMark: CHUNK_BYTES, signal });
  } catch (cause) {
    signal.throwIfAborted();
    const message = `Cannot read ${path}: ${(cause as Error).message}`;
    throw new CairnError('ERR_CAIRN_IO', message, { path, cause });
  }
}

/**
 * The lines of an input in UTF-8, ended by LF or CRLF, without a byte order mark.
 *
 * @throws InputError for other bytes, and for a line that no string can hold
 */
export async function* linesOf({ name, chunks }: Input): AsyncGenerator<Lines, void, void> {
  let first = 1;
  let done = 0;
  /** The beginning of a line whose end has not come. */
  let begun: Buffer[] = [];
  let begunBytes = 0;
  for await (const chunk of withoutMark(chunks)) {
    done += chunk.length;
    const end = chunk.lastIndexOf(LINE_FEED);
    begunBytes += chunk.length;
    begun.push(chunk);
    if (end === -1) {
      if (begunBytes > LONGEST) throw tooLong(name, first);
      continue;
    }
    const rest = chunk.subarray(end + 1);
    const whole = Buffer.concat(begun).subarray(0, begunBytes - rest.length - 1);
    if (whole.length > LONGEST) throw tooLong(name, first);
    const lines = textOf(whole, name, first).split('\n').map(withoutReturn);
    yield { lines, first, done };
    first += lines.length;
    // A copy, since a view would keep the whole chunk.
    begun = rest.length > 0 ? [Buffer.from(rest)] : [];
    begunBytes = rest.length;
  }
  if (begunBytes > 0) yield { lines: [withoutReturn(textOf(Buffer.concat(begun), name, first))], first, done };
}

/** The chunks of an input as text, for whoever finds the ends of lines by himself. */
export async function* textsOf({ name, chunks }: Input): AsyncGenerator<{ text: string; done: number }, void, void> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let done = 0;
  const decodeChunk = (chunk?: Buffer) => {
    try {
      return decoder.decode(chunk, { stream: chunk !== undefined });
    } catch {
      throw unreadable(`${name}, near byte ${done}`, 'it is not UTF-8', 'Convert the file to UTF-8.');
    }
  };
  for await (const chunk of chunks) {
    const text = decodeChunk(chunk);
    done += chunk.length;
    yield { text, done };
  }
  decodeChunk();
}

/** Some editors put three bytes in front of UTF-8. */
async function* withoutMark(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, void> {
  let head: Buffer | undefined = Buffer.alloc(0);
  for await (const chunk of chunks) {
    if (head === undefined) {
      yield chunk;
      continue;
    }
    head = Buffer.concat([head, chunk]);
    if (head.length < MARK.length) continue;
    yield head.subarray(0, MARK.length).equals(MARK) ? head.subarray(MARK.length) : head;
    head = undefined;
  }
  if (head !== undefined && head.length > 0) yield head;
}

function textOf(bytes: Buffer, name: string, first: number): string {
  if (isUtf8(bytes)) return bytes.toString();
  let line = first;
  for (let at = 0; ; line += 1) {
    const next = bytes.indexOf(LINE_FEED, at);
    if (next === -1 || !isUtf8(bytes.subarray(at, next))) break;
    at = next + 1;
  }
  throw unreadable(`${name}, line ${line}`, 'it is not UTF-8', 'Convert the file to UTF-8.');
}

function withoutReturn(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line;
}

function tooLong(name: string, line: number): InputError {
  const problem = `it has more than ${LONGEST} bytes, the most that a line can have`;
  return unreadable(`${name}, line ${line}`, problem, 'Split the file by lines, or check that it is one of lines.');
}
