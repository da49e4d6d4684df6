/**
 * The prompt: `cairn <directory>`. A pipe in place of the keyboard is a script.
 *
 * @module
 */
import { basename } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import type { CairnDB } from '../../database.ts';
import { Door } from '../open.ts';
import type { Place } from '../run.ts';
import { shown, styled } from '../terminal.ts';
import { completions } from './complete.ts';
import { History } from './history.ts';
import { Lines } from './lines.ts';

export async function runPrompt(place: Place): Promise<number> {
  const lines = new Lines(place);
  return process.stdin.isTTY ? new Prompt(place, lines).run() : runScript(lines);
}

/** Runs each line of stdin, until one is interrupted. Resolves to the last exit code that was not 0. */
async function runScript(lines: Lines): Promise<number> {
  let code = 0;
  for await (const line of createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY })) {
    code = (await lines.run(line)) || code;
    if (lines.left || code > 128) break;
  }
  // Whoever writes to it may have it open for long yet, and nobody reads it any more.
  process.stdin.destroy();
  return code;
}

class Prompt {
  readonly #place: Place;
  readonly #lines: Lines;
  readonly #history = new History(process.env);
  readonly #reader: Interface;
  readonly #door = new Door();
  /** What completion looks at; a new one for each line, so that it sees what was written. */
  #view: Promise<CairnDB> | undefined;
  #take: (line: string | undefined) => void = () => {};

  constructor(place: Place, lines: Lines) {
    this.#place = place;
    this.#lines = lines;
    this.#reader = createInterface({
      input: process.stdin,
      output: process.stdout,
      history: [...this.#history.lines],
      removeHistoryDuplicates: true,
      completer: (line: string, done: (error: null, found: [string[], string]) => void) => {
        void this.#complete(line).then((found) => done(null, found));
      },
    });
    this.#reader.on('line', (line) => this.#take(line));
    this.#reader.on('close', () => this.#take(undefined));
    this.#reader.on('SIGINT', () => this.#clear());
  }

  async run(): Promise<number> {
    const { out, directory } = this.#place;
    await out.line(`${shown(directory)}: help lists the commands, Ctrl-D leaves`);
    if (this.#history.problem !== undefined) await out.line(`the history is not kept: ${this.#history.problem}`);
    await out.flush();
    while (!this.#lines.left) {
      const line = await this.#read();
      if (line === undefined) break;
      this.#history.add(line, this.#lines.table !== undefined);
      await this.#running(() => this.#lines.run(line));
    }
    await this.#closeView();
    this.#reader.close();
    return 0;
  }

  #read(): Promise<string | undefined> {
    const { directory, table } = this.#lines;
    const name = shown(basename(directory)) + (table === undefined ? '' : `/${shown(table)}`);
    this.#reader.setPrompt(styled(this.#place.out.terminal, 'cyan', `${name}> `));
    return new Promise((resolve) => {
      this.#take = resolve;
      this.#reader.prompt();
    });
  }

  /** Gives the terminal back while a command runs, so that Ctrl-C is a signal, and ends the command alone. */
  async #running(work: () => Promise<unknown>): Promise<void> {
    await this.#closeView();
    this.#reader.pause();
    process.stdin.setRawMode(false);
    await work();
    process.stdin.setRawMode(true);
  }

  #clear(): void {
    this.#reader.write(null, { ctrl: true, name: 'e' });
    this.#reader.write(null, { ctrl: true, name: 'u' });
    process.stdout.write('\n');
    this.#reader.prompt();
  }

  async #complete(line: string): Promise<[string[], string]> {
    const view = () => {
      this.#view ??= this.#door.open(this.#lines.directory, 'read');
      return this.#view;
    };
    try {
      return await completions(line, { table: this.#lines.table, view });
    } catch {
      // What is wrong is said when the line is run.
      return [[], line];
    }
  }

  async #closeView(): Promise<void> {
    this.#view = undefined;
    await this.#door.close();
  }
}
