/**
 * A line of the prompt as words. A word in double quotes is a JSON string, one in single quotes is as it stands, and one
 * that begins with a brace or a bracket goes to where that is closed, so that JSON need not be quoted.
 *
 * @module
 */
import { UsageError } from '../command.ts';

/** A word as it was typed, quotes and all, and where it begins. */
export interface Word {
  readonly raw: string;
  readonly at: number;
}

const WORD = /"(?:[^"\\]|\\.)*"|'[^']*'|[^\s]+/y;

/** The words of a line; none of a line that begins with #. */
export function wordsOf(line: string): Word[] {
  const words: Word[] = [];
  for (let at = skipSpace(line, 0); at < line.length && !line.startsWith('#'); at = skipSpace(line, at)) {
    const raw = /[[{]/.test(line[at] as string) ? line.slice(at, closed(line, at)) : wordAt(line, at);
    words.push({ raw, at });
    at += raw.length;
  }
  return words;
}

function skipSpace(line: string, from: number): number {
  return from + (line.slice(from).length - line.slice(from).trimStart().length);
}

function wordAt(line: string, at: number): string {
  WORD.lastIndex = at;
  return WORD.exec(line)?.[0] ?? line.slice(at);
}

/** Where the brace or bracket at `from` is closed, or the end of the line. */
function closed(line: string, from: number): number {
  let depth = 0;
  for (const { 0: token, index } of line.slice(from).matchAll(/"(?:[^"\\]|\\.)*"|[[\]{}]/g)) {
    if (token === '{' || token === '[') depth += 1;
    else if (token === '}' || token === ']') depth -= 1;
    if (depth === 0) return from + index + token.length;
  }
  return line.length;
}

/** What a word says. */
export function unquoted(raw: string): string {
  if (raw.length > 1 && raw.startsWith("'") && raw.endsWith("'")) return raw.slice(1, -1);
  if (!raw.startsWith('"')) return raw;
  try {
    return JSON.parse(raw) as string;
  } catch (cause) {
    throw new UsageError(`${raw} is not a JSON string`, { cause });
  }
}
