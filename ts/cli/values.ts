/**
 * Values in the tagged form of JSON, which has what JSON lacks. The one place that asks for it.
 *
 * @module
 */

/** A value as what `JSON.stringify` takes. */
export async function encoded(value: unknown): Promise<unknown> {
  const { encode } = await import('./transfer/jsonl.ts');
  return encode(value);
}

/** The value of a JSON text, tags and all. */
export async function decoded(text: string): Promise<unknown> {
  const { decode } = await import('./transfer/jsonl.ts');
  return decode(JSON.parse(text));
}
