/**
 * Completions for zsh.
 *
 * @module
 */
import type { CommandSpec } from '../command.ts';
import { anywhere, behindDirectory, firstArgument, optionsOf, withTable } from './words.ts';

/** Text between single quotes, with colons as `_describe` wants them. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function described(name: string, description: string): string {
  return quoted(`${name.replaceAll(':', '\\:')}:${description}`);
}

function list(specs: readonly CommandSpec[]): string {
  return specs.map(({ name, summary }) => described(name, summary)).join(' ');
}

export function zsh(): string {
  const words = anywhere.map(
    (spec) => `    ${spec.name}) compadd -- ${[firstArgument(spec)].flat().join(' ')}; return ;;`,
  );
  const options = [...behindDirectory, ...anywhere].map(
    (spec) =>
      `      ${spec.name}) options=(${optionsOf(spec)
        .map(([name, text]) => described(name, text))
        .join(' ')}) ;;`,
  );
  return `#compdef cairn
# Completions of cairn for zsh.
_cairn() {
  local -a commands options tables
  if (( CURRENT == 2 )); then
    commands=(${list(anywhere)})
    _describe command commands
    _files -/
    return
  fi
  case $words[2] in
${words.join('\n')}
  esac
  if (( CURRENT == 3 )); then
    commands=(${list(behindDirectory)})
    _describe command commands
    return
  fi
  if [[ $words[CURRENT] == -* ]]; then
    case $words[3] in
${options.join('\n')}
    esac
    _describe option options
    return
  fi
  case $words[3] in
    ${withTable.join('|')})
      if (( CURRENT == 4 )); then
        tables=(\${(f)"$(cairn \${~words[2]} tables 2>/dev/null)"})
        compadd -a tables
      fi ;;
    *) _files ;;
  esac
}
if [[ $funcstack[1] == _cairn ]]; then
  _cairn "$@"
else
  compdef _cairn cairn
fi
`;
}
