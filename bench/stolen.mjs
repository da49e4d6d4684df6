// How much of the processors others had while something was measured. The host of a virtual machine may give them to its
// other guests; Linux counts for how long. What was measured meanwhile tells of those guests.

import { readFileSync } from 'node:fs';

const STEAL = 7;
/** The first line also counts what guests of this machine took, once more. */
const COUNTERS = 8;

function times() {
  try {
    const [line] = readFileSync('/proc/stat', 'utf8').split('\n');
    return line
      .trim()
      .split(/\s+/)
      .slice(1, 1 + COUNTERS)
      .map(Number);
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
    return undefined;
  }
}

/** Begins to watch. What it returns tells the share of the time of all processors, from 0 to 1, that was taken since. */
export function watchStolen() {
  const before = times();
  return () => {
    if (before === undefined) return 0;
    const passed = times().map((time, index) => time - before[index]);
    const all = passed.reduce((sum, time) => sum + time);
    return all === 0 ? 0 : passed[STEAL] / all;
  };
}
