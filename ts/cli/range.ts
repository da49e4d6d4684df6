/**
 * Which keys: the options that commands with ranges share.
 *
 * @module
 */
import type { RangeOptions } from '../iterate.ts';
import { numberOption, textOption } from './arguments.ts';
import type { Options } from './command.ts';

export function rangeOf(options: Options): RangeOptions {
  return {
    prefix: textOption(options, 'prefix'),
    gte: textOption(options, 'from'),
    lte: textOption(options, 'to'),
    limit: numberOption(options, 'limit'),
    reverse: options.reverse === true,
  };
}
