/**
 * Progress that is told ten times a second at most.
 *
 * @module
 */
const INTERVAL = 100;

export type OnProgress = (done: number, total: number) => void;

/** Passes on what it is told, but for what comes too soon after the last. */
export function steady(tell: OnProgress): OnProgress {
  let last = Number.NEGATIVE_INFINITY;
  return (done, total) => {
    const now = performance.now();
    if (now - last < INTERVAL) return;
    last = now;
    tell(done, total);
  };
}
