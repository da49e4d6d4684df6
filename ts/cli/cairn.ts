#!/usr/bin/env node
/**
 * The entry of the command line. The version is told before anything else is loaded.
 *
 * @module
 */

/** From package.json, put in when the package is built. */
declare const CAIRN_VERSION: string;

const words = process.argv.slice(2);
if (words[0] === '--version' || words[0] === '-V') {
  process.stdout.write(`${CAIRN_VERSION}\n`);
} else {
  const { main } = await import('./main.ts');
  process.exitCode = await main(words);
}
