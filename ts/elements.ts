/**
 * The element types of binary values: the numbers under which they are stored, and back.
 *
 * @module
 */
import { types } from 'node:util';

const BY_NAME = new Map<string, number>([
  ['Uint8Array', 1],
  ['Int8Array', 2],
  ['Uint8ClampedArray', 3],
  ['Uint16Array', 4],
  ['Int16Array', 5],
  ['Uint32Array', 6],
  ['Int32Array', 7],
  ['Float32Array', 8],
  ['Float64Array', 9],
  ['BigUint64Array', 10],
  ['BigInt64Array', 11],
]);

const ELEMENT_DATA_VIEW = 12;
export const ELEMENT_ARRAY_BUFFER = 13;

export type View = new (buffer: ArrayBuffer) => ArrayBufferView;

/**
 * What makes the values of the element types, from number 1 on. The elements stand in memory as they stand on disk, since
 * every platform here is little-endian.
 */
export const VIEWS: readonly View[] = [
  Uint8Array,
  Int8Array,
  Uint8ClampedArray,
  Uint16Array,
  Int16Array,
  Uint32Array,
  Int32Array,
  Float32Array,
  Float64Array,
  BigUint64Array,
  BigInt64Array,
  DataView,
];

const tagOf = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag)?.get;

/** The element type of `view`, or undefined for one that has none here (Float16Array). */
export function elementTypeOf(view: ArrayBufferView): number | undefined {
  if (types.isDataView(view)) return ELEMENT_DATA_VIEW;
  // The getter of %TypedArray% names the true type, also for subclasses and for arrays of another realm.
  return BY_NAME.get(tagOf?.call(view));
}

/** The binary value with these elements, on memory of its own; undefined when the bytes do not make up such a value. */
export function elementsFrom(elementType: number, bytes: Uint8Array): ArrayBuffer | ArrayBufferView | undefined {
  // A copy, since a view of wide elements has to begin at a multiple of their size.
  const buffer = new Uint8Array(bytes).buffer;
  if (elementType === ELEMENT_ARRAY_BUFFER) return buffer;
  const Constructor = VIEWS[elementType - 1];
  if (Constructor === undefined) return undefined;
  const size = (Constructor as unknown as { BYTES_PER_ELEMENT?: number }).BYTES_PER_ELEMENT ?? 1;
  return bytes.byteLength % size === 0 ? new Constructor(buffer) : undefined;
}
