/**
 * What a word of the prompt can become: a command, an option, a table, a key.
 *
 * @module
 */
import type { CairnDB } from '../../database.ts';
import type { CommandSpec } from '../command.ts';
import { COMMON, specOf, specs } from '../specs.ts';
import { shown } from '../terminal.ts';
import { unquoted, type Word, wordsOf } from './words.ts';

/** So many keys are looked for. */
const KEYS = 100;

/** What completion needs of the prompt. */
export interface Surroundings {
  /** The table that is in use. */
  readonly table: string | undefined;
  /** Opens the database for looking only. */
  view(): Promise<CairnDB>;
}

/** The words that `line` can end with, and the part of it that they replace. */
export async function completions(line: string, surroundings: Surroundings): Promise<[found: string[], part: string]> {
  const words = wordsOf(line);
  const last = words.at(-1);
  const isOpen = last !== undefined && last.at + last.raw.length === line.length;
  const part = isOpen ? last.raw : '';
  const before = isOpen ? words.slice(0, -1) : words;
  const candidates = await candidatesFor(before, part, surroundings);
  return [candidates.filter((candidate) => candidate.startsWith(part)), part];
}

async function candidatesFor(before: readonly Word[], part: string, surroundings: Surroundings): Promise<string[]> {
  const [name, ...given] = before.map(({ raw }) => raw);
  if (name === undefined) return specs.map((spec) => spec.name);
  const spec = specOf(name);
  if (!spec) return [];
  if (part.startsWith('-')) return Object.keys({ ...spec.options, ...COMMON }).map((option) => `--${option}`);
  const args = given.filter((word) => !word.startsWith('-'));
  const words =
    takesTable(spec) && surroundings.table !== undefined ? [surroundings.table, ...args.map(said)] : args.map(said);
  return argument(spec, words, said(part), surroundings);
}

/** Whether the first argument is a table, which `use` stands for. */
export function takesTable({ name, arguments: text }: CommandSpec): boolean {
  return name !== 'use' && /^[<[]table\b/.test(text);
}

async function argument(
  spec: CommandSpec,
  given: readonly string[],
  part: string,
  { view }: Surroundings,
): Promise<string[]> {
  const name = spec.arguments.split(' ')[given.length]?.replace(/[<>[\]]/g, '');
  if (name === 'command') return specs.map((other) => other.name);
  if (name === 'table') return (await view()).listTables().map(shown);
  const [table] = given;
  if (name !== 'key' || table === undefined) return [];
  const keys: string[] = [];
  for await (const key of (await view()).keys(table, { prefix: part, limit: KEYS })) keys.push(shown(key));
  return keys;
}

/** What a word says, also one whose quotes are not closed yet. */
function said(raw: string): string {
  if (!raw.startsWith('"')) return unquoted(raw);
  try {
    return JSON.parse(raw.length > 1 && raw.endsWith('"') ? raw : `${raw}"`) as string;
  } catch {
    // In the middle of an escape: nothing is found for it.
    return raw;
  }
}
