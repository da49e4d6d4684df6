// Work that is measured for a given time, so that a slow store does not make a run longer, and a fast one is measured
// with enough operations.

/** How many operations run between two looks at the clock, where one takes well under a microsecond. */
const SLICE = 256;

/** A clock that runs out, and the rate of what was done until then. */
function stopwatch(seconds) {
  const start = performance.now();
  const end = start + seconds * 1000;
  return {
    running: () => performance.now() < end,
    rate: (operations) => operations / ((performance.now() - start) / 1000),
  };
}

/** Runs `step` until the time is over. It takes the number of operations done, and returns how many it did, 0: no more. */
export async function repeat(seconds, step) {
  const watch = stopwatch(seconds);
  let done = 0;
  do {
    const count = await step(done);
    if (count === 0) break;
    done += count;
  } while (watch.running());
  return { done, rate: watch.rate(done) };
}

/** The same for an operation that is synchronous. */
export function repeatSync(seconds, operation) {
  const watch = stopwatch(seconds);
  let done = 0;
  do {
    for (let n = 0; n < SLICE; n++) operation(done++);
  } while (watch.running());
  return { done, rate: watch.rate(done) };
}

/** The same for so many workers side by side, each of which awaits one operation before it begins the next. */
export async function repeatSideBySide(seconds, workers, operation) {
  const watch = stopwatch(seconds);
  let done = 0;
  const work = async () => {
    do {
      await operation();
      done += 1;
    } while (watch.running());
  };
  await Promise.all(Array.from({ length: workers }, work));
  return { done, rate: watch.rate(done) };
}

/** Does `begin` for so many items at a time, until the time is over: the next ones begin when all of these are done. */
export function repeatInFlight(seconds, items, count, begin) {
  return repeat(seconds, async (done) => {
    // The items may be a typed array, whose own `map` would make numbers of the promises.
    const group = Array.from(items.slice(done, done + count), begin);
    await Promise.all(group);
    return group.length;
  });
}
