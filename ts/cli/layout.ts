/**
 * Tables whose columns are aligned by what they take on the screen.
 *
 * @module
 */
import { cut, displayWidth, styled, type Terminal } from './terminal.ts';

/** A column: its heading, and on which side its cells end. */
export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
}

export type Cells = readonly string[];

const GAP = 2;
const NARROWEST = 4;

/**
 * A table that is written by and by. Its columns are as wide as the first rows make them, and widen for later ones.
 * Where it is wider than the terminal its left-aligned columns are cut, the widest first, and then whole lines; in a
 * pipe nothing is. Cells have no escape sequences.
 */
export class Table {
  readonly #terminal: Terminal;
  readonly #columns: readonly Column[];
  readonly #widths: number[];
  #begun = false;

  constructor(terminal: Terminal, columns: readonly Column[]) {
    this.#terminal = terminal;
    this.#columns = columns;
    this.#widths = columns.map(({ title }) => displayWidth(title));
  }

  /** The lines of further rows; the heading is in front of the first ones. */
  lines(rows: readonly Cells[]): string[] {
    for (const row of rows) {
      row.forEach((cell, at) => {
        this.#widths[at] = Math.max(this.#widths[at] ?? 0, displayWidth(cell));
      });
    }
    const widths = this.#narrowed();
    const lines = rows.map((row) => this.#line(row, widths));
    if (this.#begun) return lines;
    this.#begun = true;
    const titles = this.#columns.map(({ title }) => title);
    return [styled(this.#terminal, 'bold', this.#line(titles, widths)), ...lines];
  }

  #line(cells: Cells, widths: readonly number[]): string {
    const padded = this.#columns.map(({ align }, at) => pad(cells[at] ?? '', widths[at] ?? 0, align));
    return cut(padded.join(' '.repeat(GAP)).trimEnd(), this.#terminal.columns);
  }

  /** Takes from the widest left-aligned column until all fit, or none can give more. */
  #narrowed(): number[] {
    const widths = [...this.#widths];
    const needed = widths.reduce((sum, width) => sum + width + GAP, -GAP);
    for (let over = needed - this.#terminal.columns; over > 0; over -= 1) {
      const widest = Math.max(...widths.filter((_, at) => this.#columns[at]?.align !== 'right'));
      if (widest <= NARROWEST) break;
      widths[widths.findIndex((width, at) => width === widest && this.#columns[at]?.align !== 'right')] = widest - 1;
    }
    return widths;
  }
}

function pad(text: string, width: number, align: Column['align']): string {
  const kept = cut(text, width);
  const filling = ' '.repeat(width - displayWidth(kept));
  return align === 'right' ? filling + kept : kept + filling;
}
