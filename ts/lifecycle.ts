/**
 * Opening and closing, any number of times and in any overlap.
 *
 * @module
 */
import { CairnError, fromNative } from './errors.ts';
import type { Session } from './session.ts';

export class Lifecycle {
  readonly #open: () => Promise<Session>;
  #session: Session | undefined;
  /** What the last call of `start` or `close` asked for. */
  #wanted: 'open' | 'closed' = 'closed';
  #starting: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  /** Resolves when the last step has ended, however it ended: the next one begins after it. */
  #last: Promise<void> = Promise.resolve();

  constructor(open: () => Promise<Session>) {
    this.#open = open;
  }

  /** The open session, if there is one. */
  get opened(): Session | undefined {
    return this.#session;
  }

  /** The open session. */
  get session(): Session {
    if (this.#session !== undefined) return this.#session;
    throw new CairnError('ERR_CAIRN_CLOSED', 'The database is not open. Call start() and wait for it first.');
  }

  async start(): Promise<void> {
    if (this.#wanted === 'closed') {
      this.#wanted = 'open';
      this.#starting = this.#then(() => this.#openSession());
    }
    await this.#starting?.catch(rethrow);
  }

  async close(): Promise<void> {
    if (this.#wanted === 'open') {
      this.#wanted = 'closed';
      const session = this.#session;
      // At once, so that nothing more is accepted; what was accepted before is entered while the session closes.
      this.#session = undefined;
      this.#closing = this.#then(() => this.#closeSession(session));
    }
    await this.#closing?.catch(rethrow);
  }

  #then(step: () => Promise<void>): Promise<void> {
    const ended = this.#last.then(step);
    this.#last = ended.catch(() => undefined);
    return ended;
  }

  async #openSession(): Promise<void> {
    try {
      this.#session ??= await this.#open();
    } catch (error) {
      // The next start() tries again.
      this.#wanted = 'closed';
      throw error;
    }
  }

  /** Closes `session`, or the one that was still opening when close() was called. */
  async #closeSession(session: Session | undefined): Promise<void> {
    const closing = session ?? this.#session;
    this.#session = undefined;
    await closing?.close();
  }
}

function rethrow(error: unknown): never {
  throw fromNative(error);
}
