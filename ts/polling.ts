/**
 * Busy polling: what waits for a quick disk keeps the event loop awake.
 *
 * An event loop with nothing to do sleeps, and to wake it takes a fifth of the time that a quick disk takes for a sync. So
 * it goes on turning for as long as such a sync lasts, with everything else in its turns as usual, and looks in each turn
 * whether the sync is done. If it does not get to look, it is told all the same.
 *
 * @module
 */
import { performance } from 'node:perf_hooks';
import { setImmediate } from 'node:timers';
import type { NativeHandle, Settle } from './native.ts';

/** The longest wait that is polled, in ms. What takes longer hardly gains by it, and would keep a processor busy. */
const LONGEST = 0.2;

export class BusyPoll {
  #waiting = 0;
  #began = 0;
  /** Whether the last wait was short enough; so a slow disk is never polled. */
  #isQuick = false;
  /** What to look at, while the event loop turns for it; no longer, or it could not be collected. */
  #handle: NativeHandle | undefined;
  readonly #settle: Settle;
  readonly #turn = (): void => {
    const handle = this.#handle;
    if (this.#waiting > 0 && performance.now() - this.#began < LONGEST) setImmediate(this.#turn);
    else this.#handle = undefined;
    handle?.settle(this.#settle);
  };

  constructor(settle: Settle) {
    this.#settle = settle;
  }

  /** A group waits for the disk of `handle`. */
  begin(handle: NativeHandle): void {
    // Of several that wait at once the first one counts: the last may begin just before a slow disk is done with others.
    if (this.#waiting === 0) this.#began = performance.now();
    this.#waiting += 1;
    if (!this.#isQuick || this.#handle !== undefined) return;
    this.#handle = handle;
    setImmediate(this.#turn);
  }

  /** It waits no more. */
  end(): void {
    this.#waiting -= 1;
    this.#isQuick = performance.now() - this.#began < LONGEST;
  }
}
