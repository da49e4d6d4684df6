/**
 * The history of the prompt, in a file that only its owner can read.
 *
 * What `set` writes may be a secret and is not kept; nor is a line that begins with a space, as in shells.
 *
 * @module
 */
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { wordsOf } from './words.ts';

/** Lines that are kept. */
const LINES = 1000;
const PRIVATE = { mode: 0o600 };

export class History {
  readonly #file: string;
  /** The last lines, newest first, as readline takes them. */
  readonly lines: string[] = [];
  /** Why nothing is kept; undefined: it is. */
  problem: string | undefined;

  constructor(env: NodeJS.ProcessEnv) {
    const { XDG_STATE_HOME: state = '' } = env;
    // The specification says that a relative one is to be passed over.
    this.#file = join(isAbsolute(state) ? state : join(homedir(), '.local', 'state'), 'cairn', 'history');
    this.#keeping(() => this.#load());
  }

  /** Keeps a line. `inUse` says whether the table is left out in it. */
  add(line: string, inUse: boolean): void {
    const kept = keptOf(line, inUse);
    if (kept === undefined) return;
    this.#keeping(() => appendFileSync(this.#file, `${kept}\n`, PRIVATE));
  }

  #load(): void {
    mkdirSync(dirname(this.#file), { recursive: true, mode: 0o700 });
    const lines = existing(this.#file).split('\n').filter(Boolean);
    this.lines.push(...lines.slice(-LINES).reverse());
    if (lines.length > 2 * LINES) writeFileSync(this.#file, `${lines.slice(-LINES).join('\n')}\n`, PRIVATE);
  }

  #keeping(work: () => void): void {
    if (this.problem !== undefined) return;
    try {
      work();
    } catch (error) {
      this.problem = (error as Error).message;
    }
  }
}

function existing(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

/** What is kept of a line: of `set` only where it wrote. */
export function keptOf(line: string, inUse: boolean): string | undefined {
  if (line.trim() === '' || line.startsWith(' ')) return undefined;
  const words = wordsOf(line).map(({ raw }) => raw);
  if (words[0] !== 'set') return line.trimEnd();
  const place = words.slice(0, inUse ? 2 : 3);
  return place.some((word) => word.startsWith('-')) ? 'set' : place.join(' ');
}
