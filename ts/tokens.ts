/**
 * The tokens of packed values: see FORMAT.md, *Packed values*.
 *
 * @module
 */

/** A string of so many units, below 48, is this plus their number. */
export const STRING = 0x80;
/** A list of so many values, below 16, is this plus their number. */
export const SMALL_LIST = 0xb0;
export const NULL = 0xc0;
export const UNDEFINED = 0xc1;
export const FALSE = 0xc2;
export const TRUE = 0xc3;
export const LONG_STRING = 0xc4;
export const WIDE_STRING = 0xc5;
export const FLOAT32 = 0xc6;
export const FLOAT64 = 0xc7;
/** An integer of n bytes is this plus n - 1. */
export const INTEGER = 0xc8;
export const BIGINT = 0xcf;
/** A negative integer, as -1 minus n bytes, is this plus n - 1. */
export const NEGATIVE = 0xd0;
export const DATE = 0xd7;
export const LIST = 0xd8;
export const OBJECT = 0xd9;
export const PARTIAL_OBJECT = 0xda;
export const NAMED_OBJECT = 0xdb;
export const MAP = 0xdc;
export const SET = 0xdd;
export const BYTES = 0xde;
export const ELEMENTS = 0xdf;
/** A negative integer down to -16 is this plus itself. */
export const ZERO = 0xf0;
/** An object of a shape below 16 is this plus its number. */
export const SMALL_OBJECT = 0xf0;
/** A head of 255 bytes or more has its length behind this byte. */
export const LONG_HEAD = 0xff;

/** How deep lists, objects, maps and sets may be nested. Deeper values are refused, since reading them could overflow the stack. */
export const MAX_DEPTH = 1000;
