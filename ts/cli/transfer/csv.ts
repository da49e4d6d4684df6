/**
 * CSV as RFC 4180 has it: rows of cells, some in quotes. Reading takes LF for CRLF, too.
 *
 * @module
 */
import { constants } from 'node:buffer';

/** A cell, and whether it stood in quotes. */
export interface Cell {
  readonly text: string;
  readonly quoted: boolean;
}

/** A row, and the number of the line in which it begins, from 1 on. */
export interface Row {
  readonly cells: readonly Cell[];
  readonly line: number;
}

/** Text that is no CSV, with the number of the line. */
export class NotCsv extends Error {
  readonly line: number;

  constructor(line: number, problem: string) {
    super(problem);
    this.line = line;
  }
}

/** No string is longer, and so no row can be. */
const LONGEST = constants.MAX_STRING_LENGTH;
const QUOTE = 0x22;
const LINE_FEED = 0x0a;
const RETURN = 0x0d;

/** Where the next character stands: `closed` is behind a quote that may be the closing one, `ended` behind CR after that. */
type State = 'start' | 'plain' | 'quoted' | 'closed' | 'ended';

/** Makes rows of text that comes in pieces of any size. Its memory is that of one row. */
export class CsvParser {
  readonly #delimiter: number;
  #state: State = 'start';
  /** What there is of the cell from earlier pieces, and before quotes that stand for one. */
  #text = '';
  #cells: Cell[] = [];
  #rows: Row[] = [];
  #line = 1;
  /** The line in which the row begins, and the one in which the last quote stands. */
  #first = 1;
  #quoteLine = 1;
  /** Characters of the row so far. */
  #length = 0;

  constructor(delimiter: string) {
    this.#delimiter = delimiter.charCodeAt(0);
  }

  /**
   * The rows that end in a piece of text.
   *
   * @throws NotCsv
   */
  rows(text: string): Row[] {
    this.#rows = [];
    let start = 0;
    for (let at = 0; at < text.length; at += 1) {
      const unit = text.charCodeAt(at);
      if (this.#state === 'quoted') {
        if (unit === LINE_FEED) this.#line += 1;
        if (unit !== QUOTE) continue;
        this.#take(text, start, at);
        this.#state = 'closed';
        start = at + 1;
      } else if (unit === LINE_FEED || (unit === this.#delimiter && this.#state !== 'ended')) {
        this.#take(text, start, at);
        this.#endCell(unit === LINE_FEED);
        if (unit === LINE_FEED) this.#endRow();
        start = at + 1;
      } else if (this.#state === 'closed' && unit === QUOTE) {
        // Two quotes stand for one, the second of them.
        this.#state = 'quoted';
        start = at;
      } else if (this.#state === 'closed' && unit === RETURN) {
        this.#state = 'ended';
        start = at + 1;
      } else if (this.#state === 'closed' || this.#state === 'ended') {
        throw new NotCsv(this.#line, 'something stands behind the closing quote of a cell');
      } else if (unit === QUOTE) {
        if (this.#state === 'plain')
          throw new NotCsv(this.#line, 'a quote stands in a cell that does not begin with one');
        this.#state = 'quoted';
        this.#quoteLine = this.#line;
        start = at + 1;
      } else this.#state = 'plain';
    }
    this.#take(text, start, text.length);
    return this.#rows;
  }

  /** The last row, if no end of line followed it. */
  end(): Row[] {
    this.#rows = [];
    if (this.#state === 'quoted') {
      throw new NotCsv(this.#quoteLine, 'the quote that a cell begins with in this line is not closed');
    }
    if (this.#state !== 'start' || this.#cells.length > 0) {
      this.#endCell(true);
      this.#endRow();
    }
    return this.#rows;
  }

  #take(text: string, start: number, end: number): void {
    if (end <= start) return;
    this.#length += end - start;
    if (this.#length > LONGEST) {
      throw new NotCsv(this.#first, `a row has more than ${LONGEST} characters; check the quotes`);
    }
    this.#text += text.slice(start, end);
  }

  #endCell(endsRow: boolean): void {
    const quoted = this.#state === 'closed' || this.#state === 'ended';
    const text = endsRow && !quoted && this.#text.endsWith('\r') ? this.#text.slice(0, -1) : this.#text;
    this.#cells.push({ text, quoted });
    this.#text = '';
    this.#state = 'start';
  }

  #endRow(): void {
    const [only] = this.#cells;
    const isEmpty = this.#cells.length === 1 && only?.text === '' && !only.quoted;
    if (!isEmpty) this.#rows.push({ cells: this.#cells, line: this.#first });
    this.#cells = [];
    this.#length = 0;
    this.#line += 1;
    this.#first = this.#line;
  }
}
