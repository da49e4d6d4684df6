// Numbers as people read them.

/** @param {number} n */
export const count = (n) => Math.round(n).toLocaleString('en-US');

/** Bytes in units of 1,000, as disks are sold. */
export function size(bytes) {
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(1)} kB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}

export function duration(milliseconds) {
  if (milliseconds < 1) return `${milliseconds.toFixed(2)} ms`;
  if (milliseconds < 1000) return `${milliseconds.toFixed(milliseconds < 10 ? 1 : 0)} ms`;
  return `${(milliseconds / 1000).toFixed(2)} s`;
}

/** How many in a second, with three digits that mean something. */
export const perSecond = (n, milliseconds) => count(Number(((n / milliseconds) * 1000).toPrecision(3)));
