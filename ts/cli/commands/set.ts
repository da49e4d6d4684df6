/**
 * `set`: writes a value.
 *
 * @module
 */
import { exactly, numberOption, spanOption } from '../arguments.ts';
import { type Run, UsageError } from '../command.ts';
import { decoded } from '../values.ts';

export const run: Run = async ({ args, options, json, out, signal, open }) => {
  const { table, key, value: given } = exactly(args, 'table', 'key', 'value');
  const ttl = spanOption(options, 'ttl');
  const ifVersion = numberOption(options, 'if-version');
  const text = given === '-' ? await stdin(signal) : given;
  const value = options.string ? text : await parsed(text);
  const db = await open('create');
  signal.throwIfAborted();
  const terms = { ...(ttl && { ttl }), ...(ifVersion !== undefined && { ifVersion }) };
  await db.write(table, key, value, { ...terms, durability: 'full' });
  await (json ? out.json({ written: true }) : out.line('written'));
  return 0;
};

async function parsed(text: string): Promise<unknown> {
  try {
    return await decoded(text);
  } catch (error) {
    const advice = 'quote it for the shell, or give --string if it is text';
    throw new UsageError(`the value is not JSON: ${(error as Error).message}; ${advice}`, { cause: error });
  }
}

async function stdin(signal: AbortSignal): Promise<string> {
  if (process.stdin.isTTY) throw new UsageError('the value is -, but nothing is piped into stdin');
  const { text } = await import('node:stream/consumers');
  const { addAbortSignal } = await import('node:stream');
  return text(addAbortSignal(signal, process.stdin));
}
