/**
 * `cairn <directory> export`
 *
 * @module
 */
import type { CairnDB } from '../../database.ts';
import { atMost, textOption } from '../arguments.ts';
import { type Answer, type Context, Negative, type Options, UsageError } from '../command.ts';
import type { ProgressBar } from '../progress.ts';
import { shown } from '../terminal.ts';
import { exportCsv, exportJsonl, type OnPage, type Selection, type Sink } from '../transfer/exporter.ts';
import { writeFileWhole } from '../transfer/output-file.ts';
import { steady } from '../transfer/steady.ts';
import { counted } from '../units.ts';

type Format = 'jsonl' | 'csv';

export async function run(context: Context): Promise<Answer> {
  const { args, options, out } = context;
  atMost(args, 0);
  const output = textOption(options, 'output');
  const format = formatOf(options, output);
  const wanted = (options.table ?? []) as string[];
  if (format === 'csv' && wanted.length !== 1) throw new UsageError('csv is for one table; name it with --table');
  const db = await context.open('read');
  const selection = { tables: tablesOf(db, wanted), prefix: textOption(options, 'prefix') ?? '' };
  if (output === undefined) {
    await exported(context, db, format, selection, (text) => out.write(text));
    return 0;
  }
  const records = await writeFileWhole(output, (sink) => exported(context, db, format, selection, sink));
  if (context.json) await out.json({ records, tables: selection.tables, format, output });
  else await out.line(`Exported ${counted(records, 'record')} to ${shown(output)}.`);
  return 0;
}

async function exported(
  { signal, progress }: Context,
  db: CairnDB,
  format: Format,
  selection: Selection,
  sink: Sink,
): Promise<number> {
  const stoppable: Sink = async (text) => {
    signal.throwIfAborted();
    await sink(text);
  };
  const bar = progress('Exporting');
  const onPage = await progressOf(bar, db, selection, format === 'csv' ? 2 : 1);
  const [table] = selection.tables;
  try {
    if (format === 'jsonl') return await exportJsonl(db, selection, stoppable, onPage);
    return await exportCsv(db, table as string, selection.prefix, stoppable, onPage);
  } finally {
    bar.end();
  }
}

function formatOf(options: Options, output: string | undefined): Format {
  const format = textOption(options, 'format') ?? (output?.toLowerCase().endsWith('.csv') ? 'csv' : 'jsonl');
  if (format === 'jsonl' || format === 'csv') return format;
  throw new UsageError(`--format is ${shown(format)}; give jsonl or csv`);
}

function tablesOf(db: CairnDB, wanted: readonly string[]): readonly string[] {
  const known = db.listTables();
  const missing = wanted.find((table) => !known.includes(table));
  if (missing !== undefined) throw new Negative(`There is no table ${shown(missing)}; ls shows those that there are.`);
  return wanted.length > 0 ? [...new Set(wanted)] : known;
}

/** How far an export has come that reads the tables so many times, by their sizes; of a part of a table that is unknown. */
async function progressOf(
  bar: ProgressBar,
  db: CairnDB,
  { tables, prefix }: Selection,
  passes: number,
): Promise<OnPage> {
  if (prefix !== '') return () => undefined;
  const chosen = (await db.stats()).tables.filter(({ name }) => tables.includes(name));
  const records = chosen.reduce((sum, { liveRecords }) => sum + liveRecords, 0);
  const bytes = chosen.reduce((sum, { liveBytes }) => sum + liveBytes, 0);
  const tell = steady((done, total) => bar.update(done, total));
  let read = 0;
  return (count) => {
    read += count;
    tell(Math.min(bytes, Math.round((bytes * read) / (records * passes))), bytes);
  };
}
