/**
 * Ctrl-C and SIGTERM: the first one ends the running command in order, the second one the process. The database is
 * sound either way.
 *
 * @module
 */

/** Why a command was aborted. */
export class Interrupted extends Error {
  readonly exitCode: number;

  constructor(exitCode: number) {
    super('Interrupted.');
    this.exitCode = exitCode;
  }
}

const CODES = { SIGINT: 130, SIGTERM: 143 } as const;

export class Interrupts {
  #running: AbortController | undefined;

  constructor() {
    for (const [name, code] of Object.entries(CODES)) process.on(name, () => this.#receive(code));
  }

  /** Runs `work`, which is aborted by a signal, or by `abort` for another reason. */
  async during<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const controller = new AbortController();
    this.#running = controller;
    try {
      return await work(controller.signal);
    } finally {
      this.#running = undefined;
    }
  }

  /** Ends the running command because of `reason`. */
  abort(reason: unknown): void {
    this.#running?.abort(reason);
  }

  #receive(code: number): void {
    if (!this.#running || this.#running.signal.aborted) process.exit(code);
    this.#running.abort(new Interrupted(code));
  }
}
