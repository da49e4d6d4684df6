/** @param {number[]} numbers at least one */
export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** How far the farthest of the numbers is from their median, as a part of it. */
export function spread(numbers) {
  const middle = median(numbers);
  return Math.max(...numbers.map((number) => Math.abs(number / middle - 1)));
}

/** How many times as good `figure` is as `other`. More operations are better, and less of everything else. */
export const ratio = (unit, figure, other) => (unit === 'operations per second' ? figure / other : other / figure);
