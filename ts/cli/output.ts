/**
 * What a command says, on stdout.
 *
 * @module
 */
import { inspected } from './inspected.ts';
import { type Cells, type Column, Table } from './layout.ts';
import { type Style, styled, type Terminal, terminalOf } from './terminal.ts';

/** So much may wait for the stream before whoever writes waits for it. */
const BUFFER = 64 * 1024;

/** Nobody reads the output any more, as behind `| head -1`. It ends the command, and is no failure. */
export class OutputClosed extends Error {}

export class Output {
  readonly terminal: Terminal;
  readonly #stream: NodeJS.WriteStream;
  #waiting = '';
  #scheduled = false;
  #error: Error | undefined;

  /** `onError` is told at once when the stream fails, so that a command that is silent for long ends too. */
  constructor(stream: NodeJS.WriteStream, env: NodeJS.ProcessEnv, onError: (error: Error) => void) {
    this.terminal = terminalOf(stream, env);
    this.#stream = stream;
    stream.on('error', (error) => {
      onError(this.#fail(error));
    });
  }

  /** A line, as it is: what comes from the database is made {@link harmless} or {@link shown} before. */
  async line(text = ''): Promise<void> {
    await this.write(`${text}\n`);
  }

  /** A table, aligned, and cut to the width of a terminal. */
  async table(columns: readonly Column[], rows: readonly Cells[]): Promise<void> {
    await this.rows(new Table(this.terminal, columns), rows);
  }

  /** Further rows of a table. */
  async rows(table: Table, rows: readonly Cells[]): Promise<void> {
    for (const line of table.lines(rows)) await this.line(line);
  }

  /** A value as `util.inspect` shows it: on a terminal in colours and bounded, with a note if something is left out. */
  async value(value: unknown): Promise<void> {
    const { text, shortened } = await inspected(value, this.terminal);
    await this.line(text);
    if (shortened) await this.line(this.styled('dim', '(shortened; all of it: --json, or in a pipe)'));
  }

  /** A JSON document as one line. Values of the database are given in their tagged form. */
  async json(document: unknown): Promise<void> {
    await this.line(JSON.stringify(document));
  }

  /** Text as it is, without an end of line. What is written in one turn of the event loop goes out together. */
  async write(text: string): Promise<void> {
    if (this.#error) throw this.#error;
    this.#waiting += text;
    if (this.#waiting.length >= BUFFER) await this.flush();
    else if (!this.#scheduled) this.#schedule();
  }

  styled(style: Style, text: string): string {
    return styled(this.terminal, style, text);
  }

  /** Resolves when all that was written is with the operating system. */
  async flush(): Promise<void> {
    await new Promise<void>((resolve) => this.#send(resolve));
    if (this.#error) throw this.#error;
  }

  #schedule(): void {
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#send();
    });
  }

  #send(done?: () => void): void {
    const text = this.#waiting;
    this.#waiting = '';
    if (this.#error || (text === '' && !done)) done?.();
    else {
      this.#stream.write(text, (error) => {
        if (error) this.#fail(error);
        done?.();
      });
    }
  }

  #fail(error: NodeJS.ErrnoException): Error {
    this.#error ??= error.code === 'EPIPE' ? new OutputClosed('Nobody reads the output.', { cause: error }) : error;
    return this.#error;
  }
}
