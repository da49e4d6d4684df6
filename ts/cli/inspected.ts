/**
 * Values as people read them.
 *
 * @module
 */
import type { InspectOptions } from 'node:util';
import { straight, type Terminal } from './terminal.ts';

const ALL: InspectOptions = {
  depth: Number.POSITIVE_INFINITY,
  maxArrayLength: Number.POSITIVE_INFINITY,
  maxStringLength: Number.POSITIVE_INFINITY,
};
const BOUNDED: InspectOptions = { ...ALL, depth: 8, maxArrayLength: 100, maxStringLength: 10_000 };
const BOUNDED_BYTES = 256;
/** What `inspect` writes where it leaves something out. A text of a value may look the same. */
const LEFT_OUT = /\[[A-Z]\w*\]|\.{3} \d+ more /;

export interface Inspected {
  readonly text: string;
  /** Whether something was left out. */
  readonly shortened: boolean;
}

/** A value in many lines: for a terminal in colours and bounded, for a pipe all of it. */
export async function inspected(value: unknown, terminal: Terminal): Promise<Inspected> {
  const look = { breakLength: Math.min(100, terminal.columns - 1), colors: terminal.colours };
  const inspect = await inspector();
  if (!terminal.isTerminal) return { text: inspect(value, { ...ALL, ...look }), shortened: false };
  const text = inspect(value, { ...BOUNDED, ...look }, BOUNDED_BYTES);
  return { text, shortened: LEFT_OUT.test(text) && text !== inspect(value, { ...ALL, ...look }) };
}

/** A value in one line, all of it. */
export async function inspectedLine(value: unknown): Promise<string> {
  const inspect = await inspector();
  return inspect(value, { ...ALL, breakLength: Number.POSITIVE_INFINITY, compact: true });
}

type Inspect = (value: unknown, options: InspectOptions, bytes?: number) => string;

/** `util.inspect`, with the bytes of buffers that are shown, which Node.js has as a setting of the whole process. */
async function inspector(): Promise<Inspect> {
  const { inspect } = await import('node:util');
  const { default: buffer } = await import('node:buffer');
  return (value, options, bytes = Number.POSITIVE_INFINITY) => {
    buffer.INSPECT_MAX_BYTES = bytes;
    // It escapes control characters itself.
    return straight(inspect(value, options));
  };
}
