/**
 * Runs the lines of the prompt, typed or piped, one after the other.
 *
 * @module
 */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type CommandSpec, Negative, UsageError } from '../command.ts';
import { promptHelp } from '../help.ts';
import { commandOf } from '../parse.ts';
import { fail, type Place, runCommand } from '../run.ts';
import { specOf } from '../specs.ts';
import { takesTable } from './complete.ts';
import { unquoted, wordsOf } from './words.ts';

export class Lines {
  #place: Place;
  #table: string | undefined;
  #left = false;

  constructor(place: Place) {
    this.#place = { ...place, inPrompt: true };
  }

  get directory(): string {
    return this.#place.directory;
  }

  /** The table that is in use. */
  get table(): string | undefined {
    return this.#table;
  }

  /** Whether `exit` was said. */
  get left(): boolean {
    return this.#left;
  }

  /** Runs a line. Resolves to its exit code. */
  async run(line: string): Promise<number> {
    let spec: CommandSpec | undefined;
    try {
      const [name, ...words] = wordsOf(line).map(({ raw }) => raw);
      if (name === undefined) return 0;
      spec = specOf(name) ?? commandOf(name);
      if (words.some((word) => word === '--help' || word === '-h'))
        return await runCommand(this.#place, spec, ['--help']);
      return await this.#command(spec, words);
    } catch (error) {
      return fail(error, spec, this.#place);
    }
  }

  async #command(spec: CommandSpec, words: readonly string[]): Promise<number> {
    switch (spec.name) {
      case 'exit':
        this.#left = true;
        return 0;
      case 'use':
        return this.#use(words.map(unquoted));
      case 'init':
        return this.#init(words.map(unquoted));
      case 'help':
        if (words.length === 0) return this.#help();
    }
    // Whoever means a key of this name puts it in quotes.
    if (words.includes('-')) throw new UsageError('- is stdin, from which the lines of the prompt come');
    const inUse = takesTable(spec) && this.#table !== undefined ? [JSON.stringify(this.#table)] : [];
    return runCommand(this.#place, spec, [...inUse, ...words], said);
  }

  async #help(): Promise<number> {
    await this.#place.out.write(promptHelp());
    await this.#place.out.flush();
    return 0;
  }

  #use([table, extra]: readonly string[]): number {
    if (extra !== undefined) throw new UsageError(`${extra} is one argument too many`);
    this.#table = table;
    return 0;
  }

  /** A store of worsen is a database of its own, with one table for its records. */
  async #init([directory = 'db_dir', name]: readonly string[]): Promise<number> {
    const { HOME } = await import('../../takeover.ts');
    const { tableOf } = await import('../../names.ts');
    const store = resolve(directory, HOME, tableOf(name ?? 'worsen'));
    if (!existsSync(directory)) throw new Negative(`there is no directory ${directory}; give that of a store`);
    const isStore = existsSync(store);
    this.#place = { ...this.#place, directory: isStore ? store : join(resolve(directory)) };
    this.#table = isStore ? 'records' : name;
    return 0;
  }
}

/** A word as the command gets it: the quotes of a JSON value are its own. */
function said(raw: string, argument: string | undefined, isText: boolean): string {
  return argument === 'value' && !isText && !raw.startsWith("'") ? raw : unquoted(raw);
}
