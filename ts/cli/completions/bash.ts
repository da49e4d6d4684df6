/**
 * Completions for bash.
 *
 * @module
 */
import { anywhere, behindDirectory, firstArgument, optionsOf, withTable } from './words.ts';

const names = (specs: readonly { readonly name: string }[]) => specs.map(({ name }) => name).join(' ');

export function bash(): string {
  const options = [...behindDirectory, ...anywhere].map(
    (spec) =>
      `    ${spec.name}) words='${optionsOf(spec)
        .map(([name]) => name)
        .join(' ')}' ;;`,
  );
  const words = anywhere.map(
    (spec) =>
      `    ${spec.name}) COMPREPLY=($(compgen -W '${[firstArgument(spec)].flat().join(' ')}' -- "$current")); return ;;`,
  );
  return `# Completions of cairn for bash.
_cairn() {
  local current=\${COMP_WORDS[COMP_CWORD]} first=\${COMP_WORDS[1]} command=\${COMP_WORDS[2]} words=''
  COMPREPLY=()
  if [[ $COMP_CWORD -eq 1 ]]; then
    COMPREPLY=($(compgen -d -- "$current") $(compgen -W '${names(anywhere)} --help --version' -- "$current"))
    return
  fi
  case $first in
${words.join('\n')}
  esac
  if [[ $COMP_CWORD -eq 2 ]]; then
    COMPREPLY=($(compgen -W '${names(behindDirectory)}' -- "$current"))
    return
  fi
  if [[ $current == -* ]]; then
    case $command in
${options.map((line) => `  ${line}`).join('\n')}
    esac
    COMPREPLY=($(compgen -W "$words" -- "$current"))
    return
  fi
  case $command in
    ${withTable.join('|')})
      # Names are not words to be expanded: nobody's shell runs what the name of a table says.
      if [[ $COMP_CWORD -eq 3 ]]; then
        local table
        while IFS= read -r table; do
          [[ $table == "$current"* ]] && COMPREPLY+=("$table")
        done < <(cairn "\${first/#\\~/$HOME}" tables 2>/dev/null)
      fi ;;
    *) COMPREPLY=($(compgen -f -- "$current")) ;;
  esac
}
complete -o filenames -o bashdefault -F _cairn cairn
`;
}
