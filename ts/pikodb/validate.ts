/**
 * What PikoDB accepts, in its order and with its sentences: programs compare them.
 *
 * @module
 */

const RESERVED = /^(?:con|prn|aux|nul|com[1-9]|lpt[1-9])$/i;

export function validateTable(table: unknown): asserts table is string {
  if (typeof table !== 'string' || table === '') throw new Error('Table name must be a non-empty string');
  if (table.length > 255) throw new Error('Table name must not exceed 255 characters');
  if (/[/\\]/.test(table)) throw new Error('Table name must not contain path separators');
  if (table.includes('..')) throw new Error('Table name must not contain ".."');
  if (table.startsWith('.')) throw new Error('Table name must not start with "."');
  if (table.includes('\0')) throw new Error('Table name must not contain null bytes');
  if (RESERVED.test(table)) throw new Error(`Table name "${table}" is reserved by the filesystem`);
}

export function validateKey(key: unknown): asserts key is string {
  if (key === undefined || key === null) throw new Error('Key must be defined');
  if (typeof key !== 'string') throw new Error('Key must be a string');
  if (key === '') throw new Error('Key must not be empty');
  if (key.length > 1024) throw new Error('Key must not exceed 1024 characters');
  if (key.includes('\0')) throw new Error('Key must not contain null bytes');
}

export function validateValue(value: unknown): void {
  if (value === undefined) throw new Error('Value must not be undefined (use null instead)');
  const prefix = 'Value must be JSON-serializable: ';
  if (typeof value === 'function') throw new Error(`${prefix}functions are not supported`);
  if (typeof value === 'symbol') throw new Error(`${prefix}symbols are not supported`);
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    throw new Error(`${prefix}${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
  // The prefix stands twice in the original too.
  if (text === undefined) throw new Error(`${prefix}${prefix}value cannot be serialized`);
}
