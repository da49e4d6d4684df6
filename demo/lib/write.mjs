const IN_FLIGHT = 1000;

/**
 * Writes `total` records with up to 1,000 in flight: `write(n)` starts the write of record n. Reports how many are
 * acknowledged.
 */
export async function writeMany(total, write, report = () => {}) {
  for (let start = 0; start < total; start += IN_FLIGHT) {
    const group = Math.min(IN_FLIGHT, total - start);
    await Promise.all(Array.from({ length: group }, (_, offset) => write(start + offset)));
    report(start + group);
  }
}
