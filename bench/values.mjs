// Values of each size and kind, how they are told apart, and how they are compared with what was written.

import { isDeepStrictEqual } from 'node:util';
import { GENERATIONS, idOf, random, recordOf, sizes } from './data.mjs';

/** Not a divisor of the number of records, so that no two neighbours share their text. */
const POOL_BYTES = 1_000_003;

/** Words, since stores that compress would make nothing of repeated letters, and a lot of nothing but letters at random. */
const text = (() => {
  const next = random(7);
  const word = () => Array.from({ length: 2 + next() * 8 }, () => String.fromCharCode(97 + next() * 26)).join('');
  const vocabulary = Array.from({ length: 2000 }, word);
  let words = '';
  while (words.length < POOL_BYTES) words += `${vocabulary[Math.floor(next() * next() * vocabulary.length)]} `;
  return words.slice(0, POOL_BYTES);
})();

const textOf = (n, length) => {
  const start = (n * 7919) % (POOL_BYTES - length);
  return text.slice(start, start + length);
};

/** What a user's record of about 1 KB may look like: nested, with a list and a few longer texts. */
function profileOf(n, generation) {
  return {
    ...recordOf(n, generation),
    active: n % 3 !== 0,
    created: `2026-0${1 + (n % 9)}-1${n % 10}T12:00:00.000Z`,
    tags: [textOf(n, 7), textOf(n + 1, 9), textOf(n + 2, 6)],
    address: { street: textOf(n + 3, 22), city: textOf(n + 4, 12), zip: 10_000 + (n % 90_000), country: 'NO' },
    logins: [n % 1000, (n * 7) % 1000, (n * 13) % 1000],
    biography: '',
  };
}

/** What a document of 64 KB may look like: a list of objects, and texts in it. */
function documentOf(n, generation) {
  const lines = Array.from({ length: 200 }, (_, index) => ({
    product: textOf(n + index, 24),
    count: 1 + ((n + index) % 9),
    price: ((n * 31 + index * 17) % 10_000) / 100,
    note: textOf(n + 2 * index, 200),
  }));
  return { ...profileOf(n, generation), lines };
}

/** Makes the JSON of `object` exactly as long as it is to be, by a text in it. */
function filled(object, n, bytes) {
  object.biography = textOf(n + 5, bytes - JSON.stringify(object).length);
  return object;
}

const objects = {
  '95B': recordOf,
  '1KB': (n, generation) => filled(profileOf(n, generation), n, sizes['1KB']),
  '64KB': (n, generation) => filled(documentOf(n, generation), n, sizes['64KB']),
};

/** Bytes that no compression shrinks, as those of images and archives are. */
const bytesPool = (() => {
  const next = random(11);
  return Uint8Array.from({ length: POOL_BYTES }, () => next() * 256);
})();

function bufferOf(n, generation, bytes) {
  const buffer = Buffer.from(bytesPool.subarray((n * 7919) % (POOL_BYTES - bytes)).subarray(0, bytes));
  buffer.writeUInt32LE(idOf(n), 0);
  buffer[4] = generation % GENERATIONS;
  return buffer;
}

const kinds = {
  object: (value) => ({
    valueOf: (n, generation = 0) => objects[value](n, generation),
    idOf: (object) => object.id,
    generationOf: (object, n) => (((object.age - 20 - n) % GENERATIONS) + GENERATIONS) % GENERATIONS,
    equal: isDeepStrictEqual,
  }),
  buffer: (value) => ({
    valueOf: (n, generation = 0) => bufferOf(n, generation, sizes[value]),
    idOf: (buffer) => buffer.readUInt32LE(0),
    generationOf: (buffer) => buffer[4],
    equal: (buffer, other) => other.equals(buffer),
  }),
};

/**
 * The values of one size and kind.
 *
 * @param {keyof typeof sizes} value
 * @param {'object' | 'buffer'} kind
 */
export function valuesOf(value, kind) {
  const values = kinds[kind](value);
  return {
    ...values,
    bytes: sizes[value],
    /** Throws unless `found` is record `n` as it was written first, or overwritten up to `generation` times. */
    check(found, n, generation = 0) {
      const age = found === undefined ? undefined : values.generationOf(found, n);
      if (age <= generation && values.equal(found, values.valueOf(n, age))) return;
      throw new Error(`record ${n} has a wrong value`);
    },
  };
}
