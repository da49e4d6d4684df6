/**
 * Numbers, sizes and times as people read them.
 *
 * @module
 */
const SIZES = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** `0 B`, `1.5 KiB`, `23 MiB`. */
export function size(bytes: number): string {
  let unit = 0;
  let amount = bytes;
  while (amount >= 1023.5 && unit < SIZES.length - 1) {
    amount /= 1024;
    unit += 1;
  }
  return `${unit > 0 && amount < 9.95 ? amount.toFixed(1) : Math.round(amount)} ${SIZES[unit]}`;
}

/** A whole number with its thousands set apart: `1,000,000`. */
export function count(number: number): string {
  return String(number).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** `1 record`, `2 records`. */
export function counted(number: number, one: string, many = `${one}s`): string {
  return `${count(number)} ${number === 1 ? one : many}`;
}

const SPANS = [
  ['y', 365.25 * 86_400_000],
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1000],
] as const;

/** A span of time in one unit, rounded down: `0 s`, `59 min`, `3 d`. */
export function span(milliseconds: number): string {
  const [unit, length] = SPANS.find(([, least]) => milliseconds >= least) ?? ['s', 1000];
  return `${count(Math.floor(milliseconds / length))} ${unit}`;
}
