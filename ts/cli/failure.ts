/**
 * Errors as one line, and as an exit code.
 *
 * @module
 */
import { type CommandSpec, Negative, UsageError } from './command.ts';
import { usage } from './help.ts';
import { Interrupted } from './interrupts.ts';
import { OutputClosed } from './output.ts';
import { harmless } from './terminal.ts';

/** The exit code of a command that failed: 1 the answer is no, 2 wrong use, 3 it cannot open or read. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof Interrupted) return error.exitCode;
  if (error instanceof OutputClosed) return 0;
  if (error instanceof Negative) return 1;
  if (error instanceof UsageError) return 2;
  const code = String((error as { code?: unknown } | null)?.code);
  if (code === 'ERR_CAIRN_CONFLICT') return 1;
  return code.startsWith('ERR_CAIRN_INVALID_') || code === 'ERR_CAIRN_TOO_LARGE' ? 2 : 3;
}

/** What stderr says about a failure; nothing about what its user wanted. */
export function failureLine(error: unknown, spec?: CommandSpec, inPrompt = false): string {
  if (error instanceof Interrupted || error instanceof OutputClosed) return '';
  return `cairn: ${harmless(message(error) + advice(error, spec, inPrompt))}\n`;
}

/** In one line, which goes on behind `cairn: `. */
function message(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text
    .trim()
    .replace(/\s*\n\s*/g, ' ')
    .replace(/\.$/, '')
    .replace(/^[A-Z](?=[a-z ])/, (letter) => letter.toLowerCase());
}

function advice(error: unknown, spec: CommandSpec | undefined, inPrompt: boolean): string {
  if (error instanceof UsageError) return `; use: ${usage(spec, inPrompt)}`;
  const isLocked = (error as { code?: unknown } | null)?.code === 'ERR_CAIRN_LOCKED';
  return isLocked ? "; commands that only read work beside it, and all where every process has access 'shared'" : '';
}
