#!/usr/bin/env node
// Writes docs/cairn.md and man/cairn.1 from what cairn says about itself and shows when it runs.
//   node scripts/cli-docs.mjs           writes both
//   node scripts/cli-docs.mjs --check   tells whether they are as they would be written

import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { manPage } from './cli-man.mjs';
import { damage, inSample, shown, typed, watched } from './cli-record.mjs';

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const { version } = JSON.parse(readFileSync(at('package.json'), 'utf8'));

/** What is recorded of each command, in this order: the later ones see what the earlier ones did. */
const RECORDED = [
  ['tables', ['tables']],
  ['ls', ['ls'], ['ls', 'users'], ['ls', 'users', '--json', '--limit', '1']],
  ['get', ['get', 'users', 'bob'], ['get', 'cities', '東京', '--json'], ['get', 'users', 'nobody']],
  ['keys', ['keys', 'cities'], ['keys', 'users', '--reverse', '--limit', '2']],
  ['count', ['count'], ['count', 'cities', '--json']],
  ['stats', ['stats']],
  ['watch', async (place) => `$ cairn ./data watch\n${await watched(place)}^C\n`],
  [
    'set',
    ['set', 'users', 'dora', '{"name":"Dora","born":{"$Date":"1984-02-29"}}'],
    ['set', 'users', 'dora', '{}', '--if-version', '7'],
  ],
  ['del', ['del', 'users', 'dora'], ['del', 'users', 'dora']],
  ['compact', ['compact']],
  ['prune', ['prune', '--keep', '1']],
  ['backup', ['backup', './backup']],
  ['restore', ['./backup', 'restore', './restored']],
  ['export', ['export', '--table', 'users']],
  ['bench', ['bench']],
  ['verify', ['verify'], disturb, ['verify']],
  ['repair', ['repair', './repaired']],
];

/** Damages the database between two commands. */
function disturb(place) {
  damage(place);
  return '\n(a byte on the disk changes)\n\n';
}

const SESSION = [
  'tables',
  'use cities',
  'keys --prefix K',
  'get Bergen',
  'set Oslo {"rank": 6, "capital": true}',
  'count',
  'exit',
];

const quoted = (word) => (/^[\p{L}\p{N}./=_-]+$/u.test(word) ? word : `'${word}'`);

/** A command line as it is typed: the directory is ./data unless it says another. */
function commandLine(args) {
  const words = args[0].startsWith('./') ? args : ['./data', ...args];
  return { words, text: `$ cairn ${words.map(quoted).join(' ')}` };
}

async function record(place, steps) {
  let text = '';
  for (const step of steps) {
    if (typeof step === 'function') {
      text += await step(place);
      continue;
    }
    const { words, text: line } = commandLine(step);
    text += `${line}\n${shown(place, words)}`;
  }
  return text;
}

const block = (text) => `\`\`\`text\n${text.trimEnd()}\n\`\`\``;
const table = (rows) => ['| | |', '| --- | --- |', ...rows.map(([left, right]) => `| ${left} | ${right} |`)].join('\n');
const code = (text) => `\`${text.replaceAll('|', '\\|')}\``;

function optionTable(options) {
  const title = (name, { short, type, value = 'value' }) =>
    `${short ? `-${short}, ` : ''}--${name}${type === 'string' ? ` <${value}>` : ''}`;
  return table(Object.entries(options).map(([name, option]) => [code(title(name, option)), option.description]));
}

function section({ name, summary, arguments: args, options, details, examples, place }, recording) {
  const where = { anywhere: 'cairn ', prompt: '' }[place] ?? 'cairn <directory> ';
  return [
    `### ${name}`,
    `${summary}: ${code(`${where}${name} ${args}`.trimEnd())}`,
    details,
    options && optionTable(options),
    examples.map(({ line, what }) => `- ${code(line)}: ${what}`).join('\n'),
    recording && block(recording),
  ]
    .filter(Boolean)
    .join('\n\n');
}

async function page(about) {
  const { commands, options, exitCodes, environment } = about;
  const recordings = new Map();
  await inSample(async (place) => {
    for (const [name, ...steps] of RECORDED) {
      if (commands.some((command) => command.name === name)) recordings.set(name, await record(place, steps));
    }
  });
  const session = await inSample((place) => typed(place, ['./data'], SESSION));
  const sections = (list) => list.map((command) => section(command, recordings.get(command.name)));
  const rows = (list) => table(list.map(([left, right]) => [code(left), right]));
  return `${[
    '# The command line',
    '`cairn` looks inside a database, repairs it and moves it. It comes with the package: `npx cairn` runs it, and `npm install --global cairndb` gives the command and its man page.',
    'What stands here was recorded by running it: `node scripts/cli-docs.mjs` writes this page, and the man page `cairn.1`.',
    block(`$ cairn --help\n${help()}`),
    'Commands that read work beside whoever has the database open, and leave no trace in it. Those that write need it for themselves, or all its processes have to open it with `access: \'shared\'`; otherwise they say which process has it. A value is shown as `util.inspect` shows it; with `--json` what JSON lacks is written as `export` does: `{"$Date":"2026-11-21T09:00:00.000Z"}`. Names that are no single word, or that have characters that cannot be shown, are JSON strings in quotes.',
    '## Exit codes',
    rows(exitCodes),
    'What went wrong is one line on stderr.',
    '## Environment',
    rows(environment),
    '## Options of every command',
    optionTable(options),
    '## The prompt',
    'Tab completes commands, options, tables and keys. Ctrl-C ends the running command, and Ctrl-D leaves. Words with spaces are JSON strings in "quotes", or stand in \'single ones\'; JSON need not be quoted. The history is kept in a file that only its owner can read; of `set` it has the table and the key but never the value, and lines that begin with a space are not kept. Between two commands the database is closed, so that the prompt keeps nobody out. Lines that are piped into it are run as a script, which ends with the last exit code that was not 0.',
    block(`$ cairn ./data\n${session}`),
    'Commands of the prompt alone (`init`, `list`, `keys`, `get` and `exit` are those of worsen too):',
    ...sections(commands.filter(({ place }) => place === 'prompt')),
    '## Commands',
    ...sections(commands.filter(({ place }) => place !== 'prompt')),
  ].join('\n\n')}\n`;
}

function cairn(...args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [at('dist/cairn.mjs'), ...args], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`cairn ${args.join(' ')}: ${stderr}`);
  return stdout;
}

const help = () => cairn('--help');

/**
 * Without what a machine decides: how fast it is, and the widths that follow from that; also what has been flushed,
 * merged and removed in the background by the time of a command, and so the sizes, numbers and counts of files.
 */
const comparable = (text) =>
  text
    .split('\n')
    .filter((line) => !/\d [nµm]s$/.test(line))
    .join('\n')
    .replace(/\d+ (?:s|min)\b|\b\d{13}\b/g, 'some time')
    .replace(/[\d.]+ (?:B|[KM]iB|bytes?)\b| at \d+/g, 'some bytes')
    .replace(/\b\d{12}(?=\.stone)|\b\d+(?= (?:files?|generations?|records and journal entries)\b)/g, 'some')
    .replace(/[█▏▎▍▌▋▊▉░▒▓]+/g, 'a bar')
    .replace(/ +/g, ' ');

/** Where two texts part, or undefined if they say the same. */
function difference(written, now) {
  const [before, after] = [written, now].map((text) => comparable(text).split('\n'));
  const at = before.findIndex((line, index) => line !== after[index]);
  if (at < 0 && before.length === after.length) return undefined;
  const line = at < 0 ? before.length : at;
  return `  it says  ${before[line] ?? 'nothing more'}\n  now      ${after[line] ?? 'nothing more'}`;
}

const { values } = parseArgs({ options: { check: { type: 'boolean' } } });
const about = JSON.parse(cairn('help', '--json'));
const files = { 'docs/cairn.md': await page(about), 'man/cairn.1': manPage(about, version) };
for (const [path, text] of Object.entries(files)) {
  if (!values.check) {
    writeFileSync(at(path), text);
    continue;
  }
  const differs = difference(readFileSync(at(path), 'utf8'), text);
  if (differs === undefined) continue;
  console.error(`${path} is not what cairn says and shows now: run node scripts/cli-docs.mjs\n${differs}`);
  process.exitCode = 1;
}
