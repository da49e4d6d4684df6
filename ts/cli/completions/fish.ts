/**
 * Completions for fish.
 *
 * @module
 */
import { anywhere, behindDirectory, firstArgument, optionsOf, withTable } from './words.ts';

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

export function fish(): string {
  const lines = [
    '# Completions of cairn for fish.',
    'function __cairn_words',
    '    commandline -opc',
    'end',
    'function __cairn_at',
    '    test (count (__cairn_words)) -eq $argv[1]',
    'end',
    'function __cairn_runs',
    '    set -l words (__cairn_words)',
    '    test (count $words) -ge 3; and contains -- $words[3] $argv',
    'end',
    'function __cairn_stands',
    '    set -l words (__cairn_words)',
    '    test (count $words) -ge 2; and contains -- $words[2] $argv',
    'end',
    'complete -c cairn -f',
    "complete -c cairn -n '__cairn_at 1' -a '(__fish_complete_directories)'",
    `complete -c cairn -n '__cairn_at 3; and __cairn_runs ${withTable.join(' ')}' -a '(cairn (__cairn_words)[2] tables 2>/dev/null)'`,
    `complete -c cairn -n '__cairn_at 3; and not __cairn_runs ${withTable.join(' ')}' -F`,
  ];
  const behind = `__cairn_at 2; and not __cairn_stands ${anywhere.map(({ name }) => name).join(' ')}`;
  for (const { name, summary } of anywhere)
    lines.push(`complete -c cairn -n '__cairn_at 1' -a ${name} -d ${quoted(summary)}`);
  for (const { name, summary } of behindDirectory)
    lines.push(`complete -c cairn -n '${behind}' -a ${name} -d ${quoted(summary)}`);
  for (const spec of anywhere) {
    lines.push(
      `complete -c cairn -n '__cairn_at 2; and __cairn_stands ${spec.name}' -a ${quoted([firstArgument(spec)].flat().join(' '))}`,
    );
  }
  for (const spec of behindDirectory) {
    for (const [name, text] of optionsOf(spec)) {
      const takes = spec.options?.[name.slice(2)]?.type === 'string' ? ' -x' : '';
      lines.push(`complete -c cairn -n '__cairn_runs ${spec.name}' -l ${name.slice(2)}${takes} -d ${quoted(text)}`);
    }
  }
  return `${lines.join('\n')}\n`;
}
