// What a store must hold after a run.

import { numberOf } from './data.mjs';

/** All of the records, or those that `has` lets through. @type {(count: number, has?: (n: number) => boolean) => any} */
export const untouched = (count, has = (n) => n < count) => ({ count, has, generation: () => 0 });

/** Exactly the records with these numbers. */
export function only(numbers) {
  const set = new Set(numbers);
  return { count: set.size, has: (n) => set.has(n), generation: () => 0 };
}

/** Opens the store again, and compares every record with what was written. */
export async function verify({ open, values }, { count, has, generation }) {
  const store = await open();
  const found = new Set();
  await store.scan((key, value) => {
    const n = numberOf(key);
    if (!has(n) || found.has(n)) throw new Error(`${key} must not be there`);
    values.check(value, n, generation(n));
    found.add(n);
  });
  await store.close();
  if (found.size !== count) throw new Error(`${count - found.size} records are missing`);
}
