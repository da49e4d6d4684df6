// The records of the benchmark: the same ones in every run, process and store.

/** Bytes of the smallest record as JSON. */
export const RECORD_BYTES = 95;

/** The sizes of a value: of an object as JSON, or of a Buffer. */
export const sizes = { '95B': RECORD_BYTES, '1KB': 1024, '64KB': 65_536 };

/** A value carries how often its record was overwritten, modulo this, so that a run can be verified. */
export const GENERATIONS = 60;

/** Keys in the order of their numbers, all of one length. */
export const keyOf = (n) => `user:${1_000_000 + n}`;

/** What identifies the value of record `n`, of whatever kind. */
export const idOf = (n) => 1_000_000 + n;

export const numberOf = (key) => Number(key.slice('user:'.length)) - 1_000_000;

/** Record `n`: of five fields and {@link RECORD_BYTES} bytes, for n below 9,000,000. */
export function recordOf(n, generation = 0) {
  const id = idOf(n);
  return {
    id,
    name: `user-${id}`,
    email: `user-${id}@example.com`,
    age: 20 + ((n + generation) % GENERATIONS),
    score: 100.25 + (n % 800) + (n % 2) / 2,
  };
}

/** A generator of numbers from 0 to 1 that gives the same ones for the same seed (mulberry32). */
export function random(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The numbers from 0 to `size`, in an order that has nothing to do with theirs. */
export function shuffled(size, seed = 1) {
  const next = random(seed);
  const numbers = Uint32Array.from({ length: size }, (_, n) => n);
  for (let last = size - 1; last > 0; last--) {
    const other = Math.floor(next() * (last + 1));
    [numbers[last], numbers[other]] = [numbers[other], numbers[last]];
  }
  return numbers;
}
