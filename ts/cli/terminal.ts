/**
 * What a stream can show: its width, its colours, and text that cannot drive it.
 *
 * @module
 */
import type { WriteStream } from 'node:tty';

/** A stream as a place where people may look. */
export interface Terminal {
  /** Whether it is a terminal, and not a file or a pipe. */
  readonly isTerminal: boolean;
  readonly colours: boolean;
  /** Columns of the terminal now; infinite where nothing is cut. */
  readonly columns: number;
}

type Stream = Pick<WriteStream, 'isTTY' | 'columns'>;

export function terminalOf(stream: Stream, env: NodeJS.ProcessEnv): Terminal {
  const isTerminal = stream.isTTY === true;
  return {
    isTerminal,
    colours: hasColours(isTerminal, env),
    get columns() {
      return isTerminal ? stream.columns || 80 : Number.POSITIVE_INFINITY;
    },
  };
}

/** As Node.js decides: FORCE_COLOR is stronger than NO_COLOR, and both than what the stream is. */
function hasColours(isTerminal: boolean, { FORCE_COLOR: force, NO_COLOR, TERM }: NodeJS.ProcessEnv): boolean {
  if (force !== undefined) return force !== '0' && force !== 'false';
  return !NO_COLOR && TERM !== 'dumb' && isTerminal;
}

const STYLES = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
} as const;

export type Style = keyof typeof STYLES;

/** `text` in a style, if the terminal has colours. `util.styleText` is younger than the oldest Node.js we run on. */
export function styled(terminal: Terminal, style: Style, text: string): string {
  if (!terminal.colours || text === '') return text;
  const [on, off] = STYLES[style];
  return `\x1b[${on}m${text}\x1b[${off}m`;
}

/** What turns the direction of writing, ends a line in some programs, or is no character at all. */
const TURNING = /[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]|\p{Surrogate}/gu;
/** What drives a terminal: it moves the cursor, or begins a sequence. */
const CONTROL = /\p{Control}/gu;

function escaped(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** Escapes what turns the direction of writing, in text that has its own lines and colours. */
export function straight(text: string): string {
  return text.replace(TURNING, escaped);
}

/** Escapes all that would drive the terminal. Text in quotes stays what it was to whoever reads it as JSON. */
export function harmless(text: string): string {
  return straight(text).replace(CONTROL, escaped);
}

/**
 * A name as people read and type it: itself, or a JSON string where it has characters that cannot be shown, or would
 * not be one word of a line.
 */
export function shown(name: string): string {
  return harmless(name) !== name || /^$|^["'#]|[\s\\]/.test(name) ? harmless(JSON.stringify(name)) : name;
}

const ASCII = /^[\x20-\x7e]*$/;
const WIDE =
  /[\u1100-\u115f\u231a-\u231b\u2329-\u232a\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{16fe0}-\u{18cff}\u{1b000}-\u{1b2ff}\u{1f200}-\u{1f2ff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}|\ufe0f/u;
const NARROW_NOTHING = /^[\p{Mark}\p{Default_Ignorable_Code_Point}]*$/u;

let segmenter: Intl.Segmenter | undefined;

function graphemes(text: string): Iterable<{ readonly segment: string }> {
  segmenter ??= new Intl.Segmenter('en', { granularity: 'grapheme' });
  return segmenter.segment(text);
}

function graphemeWidth(grapheme: string): number {
  if (WIDE.test(grapheme)) return 2;
  return NARROW_NOTHING.test(grapheme) ? 0 : 1;
}

/** How many columns a text takes that has no escape sequences. */
export function displayWidth(text: string): number {
  if (ASCII.test(text)) return text.length;
  let width = 0;
  for (const { segment } of graphemes(text)) width += graphemeWidth(segment);
  return width;
}

/** `text` in at most so many columns, with an ellipsis where something is missing. */
export function cut(text: string, columns: number): string {
  if (displayWidth(text) <= columns) return text;
  let kept = '';
  let width = 1;
  for (const { segment } of graphemes(text)) {
    width += graphemeWidth(segment);
    if (width > columns) break;
    kept += segment;
  }
  return columns > 0 ? `${kept}…` : '';
}
