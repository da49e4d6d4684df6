/**
 * A database that opens when it is first used, and again after it was closed.
 *
 * @module
 */
import type { CairnDB } from '../database.ts';
import { inTurn } from '../import.ts';

export class Connection {
  readonly #db: CairnDB;
  readonly #prepare: () => Promise<void>;
  /** The opening that everything goes on from; none while it is closed. */
  #opening: Promise<void> | undefined;
  #isOpen = false;
  #closing: Promise<void> = Promise.resolve();

  /**
   * `prepare` is done each time after the database was opened, and before anything else; not at the same time as that of
   * another instance in this process.
   */
  constructor(db: CairnDB, prepare: () => Promise<void>) {
    this.#db = db;
    this.#prepare = prepare;
  }

  /** Whether it is open or about to be. */
  get isUsed(): boolean {
    return this.#opening !== undefined;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Opens the database if it is closed. */
  open(): Promise<void> {
    if (this.#opening !== undefined) return this.#opening;
    const opening = this.#closing.then(() => this.#open());
    this.#opening = opening;
    // Neither is for an opening that a call of close() has made a thing of the past.
    opening.then(
      () => {
        if (this.#opening === opening) this.#isOpen = true;
      },
      () => {
        // The next call tries again.
        if (this.#opening === opening) this.#opening = undefined;
      },
    );
    return opening;
  }

  /** Does `work` with the open database: now if it is open, else once it is, in the order of the calls. */
  async run<T>(work: (db: CairnDB) => T | Promise<T>): Promise<T> {
    if (!this.#isOpen) await this.open();
    return work(this.#db);
  }

  /** Closes the database once all calls before this one are done. Later ones open it again. */
  close(): Promise<void> {
    const opening = this.#opening;
    if (opening === undefined) return this.#closing;
    this.#opening = undefined;
    this.#isOpen = false;
    // Whoever waits for the opening was told of its failure. Those who waited have their turn before the database closes.
    const closed = opening.then(
      () => this.#db.close(),
      () => undefined,
    );
    this.#closing = closed.catch(() => undefined);
    return closed;
  }

  async #open(): Promise<void> {
    await this.#db.start();
    try {
      await inTurn(this.#db, this.#prepare);
    } catch (error) {
      await this.#db.close();
      throw error;
    }
  }
}
