/**
 * How far long work has come: a bar on stderr when that is a terminal, nothing otherwise.
 *
 * @module
 */
import type { Progress } from '../upkeep.ts';
import { cut, styled, type Terminal } from './terminal.ts';
import { size } from './units.ts';

/** Shows how much is done, in any unit. */
export interface ProgressBar {
  update(done: number, total: number): void;
  /** Takes the bar away. */
  end(): void;
}

const WIDTH = 24;
const SILENT: ProgressBar = { update() {}, end() {} };
const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/** A bar of blocks for a share from 0 to 1, filled up with spaces. */
export function blocks(share: number, width: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, share)) * width * 8);
  return ('█'.repeat(eighths >> 3) + EIGHTHS[eighths & 7]).padEnd(width);
}

/** What long work of the package calls, to be shown by `bar`. */
export function shownBy(bar: ProgressBar): (progress: Progress) => void {
  return ({ done, total }) => bar.update(done, total);
}

/** A bar on `stream`; `amount` says how much is done, in bytes if it is not given. */
export function progressBar(
  stream: NodeJS.WriteStream,
  terminal: Terminal,
  label: string,
  amount: (number: number) => string = size,
): ProgressBar {
  if (!terminal.isTerminal || process.env.TERM === 'dumb') return SILENT;
  let drawn = false;
  return {
    update(done, total) {
      const share = total > 0 ? done / total : 0;
      const percent = `${Math.floor(Math.min(1, share) * 100)}%`.padStart(4);
      const text = `${label} ${percent} ▕${blocks(share, WIDTH)}▏ ${amount(done)} of ${amount(total)}`;
      // One column stays free: at the last one some terminals begin a new line.
      stream.write(`\r\x1b[K${styled(terminal, 'cyan', cut(text, terminal.columns - 1))}`);
      drawn = true;
    },
    end() {
      if (drawn) stream.write('\r\x1b[K');
      drawn = false;
    },
  };
}
