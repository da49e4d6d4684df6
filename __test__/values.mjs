// Values of every kind, made up by fast-check.
import fc from 'fast-check';

// Every UTF-16 code unit, so that halves of surrogate pairs are among them.
const text = fc
  .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 8 })
  .map((units) => String.fromCharCode(...units));
/** Names of members. */
export const key = fc.oneof(
  text,
  fc.constantFrom('__proto__', 'constructor', 'toString', '$date', '$map', '$object', '$', '0', '10', ''),
);

const object = (value) =>
  fc.uniqueArray(fc.tuple(key, value), { selector: ([name]) => name, maxLength: 5 }).map(Object.fromEntries);
const list = (value) => fc.array(value, { maxLength: 5 });

const bytes = fc.uint8Array({ maxLength: 20 });
const binary = fc.oneof(
  bytes,
  bytes.map((array) => Buffer.from(array)),
  bytes.map((array) => Uint8Array.from(array).buffer),
  bytes.map((array) => new DataView(Uint8Array.from(array).buffer)),
  fc.int8Array(),
  fc.uint8ClampedArray(),
  fc.int16Array(),
  fc.uint16Array(),
  fc.int32Array(),
  fc.uint32Array(),
  fc.float32Array(),
  fc.float64Array(),
  fc.bigInt64Array(),
  fc.bigUint64Array(),
);

/** Whatever may be stored, and undefined. */
export const { anything } = fc.letrec((tie) => ({
  anything: fc.oneof(
    { depthSize: 'medium', withCrossShrink: true },
    text,
    fc.double(),
    fc.constantFrom(-0, Number.NaN, null, undefined, true, false),
    fc.integer(),
    fc.bigInt(),
    fc.date({ noInvalidDate: true }),
    binary,
    list(tie('anything')),
    object(tie('anything')),
    list(tie('anything')).map((items) => new Set(items)),
    list(fc.tuple(tie('anything'), tie('anything'))).map((entries) => new Map(entries)),
  ),
}));

/** What JSON carries. */
export const { json } = fc.letrec((tie) => ({
  json: fc.oneof(
    { depthSize: 'medium', withCrossShrink: true },
    text,
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number + 0),
    fc.constantFrom(null, true, false),
    list(tie('json')),
    object(tie('json')),
  ),
}));
