/**
 * `cairn <directory> import`
 *
 * @module
 */
import { existsSync } from 'node:fs';
import { CairnError } from '../../errors.ts';
import { atMost, textOption } from '../arguments.ts';
import { type Answer, type Context, type Options, UsageError } from '../command.ts';
import { harmless, shown } from '../terminal.ts';
import { COLUMN_TYPES, type ColumnType } from '../transfer/cells.ts';
import { guess, KINDS, type Kind } from '../transfer/guess.ts';
import { importFrom } from '../transfer/importer.ts';
import { inputOfFile, inputOfStream } from '../transfer/input.ts';
import type { Source } from '../transfer/record.ts';
import { type SourceOptions, sourceOf, textSourceOf, WITHOUT_TABLES } from '../transfer/source.ts';
import { KEY_FORMS } from '../transfer/sources/keys.ts';
import { LEVEL_ENCODINGS } from '../transfer/sources/level.ts';
import { steady } from '../transfer/steady.ts';
import type { Written } from '../transfer/writer.ts';
import { counted } from '../units.ts';

const STANDARD_INPUT = '-';

export async function run(context: Context): Promise<Answer> {
  const { args, options, progress, signal } = context;
  atMost(args, 1);
  const [path = STANDARD_INPUT] = args;
  const kind = kindOf(path, options);
  const given = sourceOptions(options);
  if (given.table === undefined && (WITHOUT_TABLES.includes(kind) || (kind === 'jsonl' && given.key !== undefined))) {
    throw new UsageError(`records of ${kind} are in no table; say with --table which one they are to be in`);
  }
  const source = await opened(kind, path, given, signal);
  const bar = progress('Importing');
  try {
    const onProgress = steady((done, total) => bar.update(done, total));
    const written = await importFrom(source, { open: () => context.open('create'), signal, onProgress });
    bar.end();
    await report(context, kind, written, source.notices);
  } finally {
    bar.end();
  }
  return 0;
}

function kindOf(path: string, options: Options): Kind {
  const from = textOption(options, 'from');
  if (from !== undefined) return choice('from', from, KINDS);
  if (path === STANDARD_INPUT)
    throw new UsageError('say with --from what standard input is, jsonl or csv; or name a source');
  checkThere(path);
  const kind = guess(path);
  if (kind === 'cairndb') {
    throw new UsageError(
      `${shown(path)} is a database of CairnDB; export it to JSON lines, or back it up and restore it`,
    );
  }
  if (kind !== undefined) return kind;
  throw new UsageError(`what ${shown(path)} is cannot be told from its name and content; say it with --from`);
}

async function opened(kind: Kind, path: string, options: SourceOptions, signal: AbortSignal): Promise<Source> {
  if (path !== STANDARD_INPUT) checkThere(path);
  if (kind === 'jsonl' || kind === 'csv') {
    const isStream = path === STANDARD_INPUT;
    const input = isStream ? inputOfStream('standard input', process.stdin, signal) : inputOfFile(path, signal);
    return textSourceOf(kind, input, options);
  }
  if (path === STANDARD_INPUT)
    throw new UsageError(`${kind} is not read from standard input; name a file or directory`);
  return sourceOf(kind, path, options);
}

function checkThere(path: string): void {
  if (!existsSync(path))
    throw new CairnError('ERR_CAIRN_IO', `There is no ${path}; name a file or directory.`, { path });
}

function sourceOptions(options: Options): SourceOptions {
  const delimiter = textOption(options, 'delimiter') ?? ',';
  if (delimiter.length !== 1 || /["\r\n]/.test(delimiter)) {
    throw new UsageError(`--delimiter is ${shown(delimiter)}; give one character, but no quote`);
  }
  return {
    table: textOption(options, 'table'),
    key: textOption(options, 'key'),
    types: typesOf(textOption(options, 'types')),
    delimiter,
    keys: choice('keys', textOption(options, 'keys') ?? 'utf8', KEY_FORMS),
    encoding: choice('encoding', textOption(options, 'encoding') ?? 'utf8', LEVEL_ENCODINGS),
    database: textOption(options, 'database'),
    dictionaries: textOption(options, 'dictionaries'),
  };
}

/** `auto`, or `column=type,…`; what is alone is about all columns that are not named. */
function typesOf(text: string | undefined): Map<string, ColumnType> {
  const types = new Map<string, ColumnType>();
  for (const part of text?.split(',') ?? []) {
    const at = part.lastIndexOf('=');
    types.set(at === -1 ? '*' : part.slice(0, at), choice('types', part.slice(at + 1), COLUMN_TYPES));
  }
  return types;
}

function choice<T extends string>(name: string, given: string, known: readonly T[]): T {
  if ((known as readonly string[]).includes(given)) return given as T;
  throw new UsageError(`--${name} is ${shown(given)}; give one of ${known.join(', ')}`);
}

async function report({ out, json }: Context, from: Kind, { tables, records }: Written, notices: readonly string[]) {
  if (json) {
    await out.json({ from, records, tables: Object.fromEntries(tables), notices });
    return;
  }
  const named = [...tables].map(([table, count]) => `${shown(table)} ${counted(count, 'record')}`).join(', ');
  await out.line(`Imported ${counted(records, 'record')} from ${from}${tables.size > 1 ? `: ${named}` : ''}.`);
  for (const notice of notices) await out.line(harmless(notice));
}
