// The distributions of keys that YCSB asks for.

import { random } from './data.mjs';

/** The skew that YCSB's core workloads use. */
const THETA = 0.99;

function zeta(items) {
  let sum = 0;
  for (let rank = 1; rank <= items; rank++) sum += rank ** -THETA;
  return sum;
}

/** Draws ranks from 0 to `items`, low ones far more often (the method of Gray et al., which YCSB uses too). */
export function zipfian(items, seed) {
  const next = random(seed);
  const total = zeta(items);
  const eta = (1 - (2 / items) ** (1 - THETA)) / (1 - zeta(2) / total);
  return () => {
    const u = next();
    const scaled = u * total;
    if (scaled < 1) return 0;
    if (scaled < 1 + 0.5 ** THETA) return 1;
    return Math.min(items - 1, Math.floor(items * (eta * u - eta + 1) ** (1 / (1 - THETA))));
  };
}

/** The same with the popular ones anywhere in the order of the keys and not all at its beginning. */
export function scrambled(items, seed) {
  const rank = zipfian(items, seed);
  return () => (Math.imul(rank() + 1, 0x9e3779b1) >>> 0) % items;
}
