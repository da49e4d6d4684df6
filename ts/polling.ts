/**
 * Busy polling: what waits for a quick disk keeps the event loop awake.
 *
 * An event loop with nothing to do sleeps, and to wake it takes a fifth of the time that a quick disk takes for a sync. So
 * it goes on turning for as long as such a sync lasts, with everything else in its turns as usual.
 *
 * @module
 */
import { performance } from 'node:perf_hooks';
import { setImmediate } from 'node:timers';

/** The longest wait that is polled, in ms. What takes longer hardly gains by it, and would keep a processor busy. */
const LONGEST = 0.2;

export class BusyPoll {
  #waiting = 0;
  #began = 0;
  /** Whether the last wait was short enough; so a slow disk is never polled. */
  #isQuick = false;
  #isTurning = false;
  readonly #turn = (): void => {
    this.#isTurning = this.#waiting > 0 && performance.now() - this.#began < LONGEST;
    if (this.#isTurning) setImmediate(this.#turn);
  };

  /** A group waits for the disk. */
  begin(): void {
    // Of several that wait at once the first one counts: the last may begin just before a slow disk is done with others.
    if (this.#waiting === 0) this.#began = performance.now();
    this.#waiting += 1;
    if (!this.#isQuick || this.#isTurning) return;
    this.#isTurning = true;
    setImmediate(this.#turn);
  }

  /** It waits no more. */
  end(): void {
    this.#waiting -= 1;
    this.#isQuick = performance.now() - this.#began < LONGEST;
  }
}
