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
  customInspect: false,
};
const BOUNDED: InspectOptions = { ...ALL, depth: 8, maxArrayLength: 100, maxStringLength: 10_000 };
/** What `inspect` writes where it leaves something out. A text of a value may look the same. */
const LEFT_OUT = /\[[A-Z]\w*\]|\.{3} \d+ more /;

export interface Inspected {
  readonly text: string;
  /** Whether something was left out. */
  readonly shortened: boolean;
}

/** A value in many lines: for a terminal in colours and bounded, for a pipe all of it. */
export async function inspected(value: unknown, terminal: Terminal): Promise<Inspected> {
  const { inspect } = await import('node:util');
  const look = { breakLength: Math.min(100, terminal.columns - 1), colors: terminal.colours };
  const text = inspect(value, { ...(terminal.isTerminal ? BOUNDED : ALL), ...look });
  const shortened = terminal.isTerminal && LEFT_OUT.test(text) && text !== inspect(value, { ...ALL, ...look });
  // It escapes control characters itself.
  return { text: straight(text), shortened };
}

/** A value in one line, all of it. */
export async function inspectedLine(value: unknown): Promise<string> {
  const { inspect } = await import('node:util');
  return straight(inspect(value, { ...ALL, breakLength: Number.POSITIVE_INFINITY, compact: true }));
}
