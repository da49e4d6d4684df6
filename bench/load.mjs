import { keyOf, shuffled } from './data.mjs';

const BATCH = 1000;
/** Of large values fewer make a batch. */
const BATCH_BYTES = 16e6;

/** Writes all records in random order, and closes the store, so that they are where it keeps them in the long run. */
export async function load({ open, records, values }, generation = 0) {
  const store = await open();
  const numbers = shuffled(records, 1 + generation);
  const size = Math.min(BATCH, Math.ceil(BATCH_BYTES / values.bytes));
  for (let start = 0; start < records; start += size) {
    const batch = Array.from(numbers.subarray(start, start + size), (n) => [keyOf(n), values.valueOf(n, generation)]);
    await store.writeBatch(batch);
  }
  await store.close();
}
