// What the demo shows: sections, sentences, checks, progress, and a table at the end.

import { count } from './format.mjs';

const INDENT = '   ';
const STEPS_WITHOUT_TERMINAL = 4;
const REDRAW_MILLISECONDS = 50;

export class Screen {
  /** Checks that did not hold. */
  failures = 0;
  #checks = 0;
  #sections = 0;
  #stream;
  #isTerminal;
  #isColored;

  /** @param {{ write(text: string): unknown, isTTY?: boolean, hasColors?(): boolean }} stream */
  constructor(stream) {
    this.#stream = stream;
    this.#isTerminal = stream.isTTY === true;
    // hasColors() knows NO_COLOR and FORCE_COLOR.
    this.#isColored = this.#isTerminal && (stream.hasColors?.() ?? false);
  }

  get checks() {
    return this.#checks;
  }

  line(text = '') {
    this.#stream.write(`${text}\n`);
  }

  heading(text) {
    this.line(this.#bold(text));
  }

  section(title) {
    this.#sections += 1;
    this.line(`\n${this.#bold(`${this.#sections}  ${title}`)}`);
  }

  say(text) {
    this.line(`${INDENT}${text}`);
  }

  /** Shows a statement and whether it is true. One that is not makes the demo fail. */
  check(holds, statement) {
    this.#checks += 1;
    if (!holds) this.failures += 1;
    this.line(`${INDENT}${holds ? this.#paint('32', '✓') : this.#paint('31', '✗ NOT SO:')} ${statement}`);
  }

  /** One line that is redrawn on a terminal; a few plain ones elsewhere. Returns the function to report with. */
  progress(total, unit) {
    let shown = 0;
    return (done) => {
      const text = `${INDENT}${count(done)} of ${count(total)} ${unit}`;
      if (this.#isTerminal) {
        const now = performance.now();
        if (done < total && now - shown < REDRAW_MILLISECONDS) return;
        shown = now;
        this.#stream.write(done < total ? `\r${text}` : `\r${' '.repeat(text.length)}\r`);
      } else if (done * STEPS_WITHOUT_TERMINAL >= (shown + 1) * total) {
        shown = Math.floor((done * STEPS_WITHOUT_TERMINAL) / total);
        this.line(text);
      }
    };
  }

  /** @param {[name: string, ...figures: string[]][]} rows each figure on a line of its own */
  table(rows) {
    const width = Math.max(...rows.map(([name]) => name.length));
    for (const [name, ...figures] of rows) {
      for (const [index, figure] of figures.entries()) {
        const label = (index === 0 ? name : '').padEnd(width);
        this.line(`${INDENT}${this.#paint('36', label)}  ${figure}`);
      }
    }
  }

  #bold(text) {
    return this.#paint('1', text);
  }

  #paint(code, text) {
    return this.#isColored ? `\x1b[${code}m${text}\x1b[0m` : text;
  }
}
