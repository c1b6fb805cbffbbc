import type { Command } from "../command.ts";
import {
  type Entry,
  entriesOf,
  firstEntries,
  flagEntries,
  nouns,
  pathPattern,
  valueFlags,
  verbEntries,
} from "./entry.ts";

/** The completion script for bash. */
export function renderBash(commands: readonly Command[]): string {
  const cases = [
    ...commands.map((each) => `    ${pathPattern(each)}) ${offer(entriesOf(each))} ;;`),
    ...nouns(commands).map(([noun]) => `    "${noun} "*) ${offer(verbEntries(noun, commands))} ;;`),
    `    *) ${offer([...firstEntries(commands), ...flagEntries({})])} ;;`,
  ];
  const valued = valueFlags(commands).flatMap(({ typed }) => typed);
  const values = valueFlags(commands).flatMap(({ typed, option: { words, isFile } }) => {
    if (words !== undefined)
      return `    ${typed.join("|")}) COMPREPLY=($(compgen -W "${words.join(" ")}" -- "$current")); return ;;`;
    return isFile === true ? `    ${typed.join("|")}) COMPREPLY=($(compgen -f -- "$current")); return ;;` : [];
  });
  return `# Completion of drover for bash. Load it with: source <(drover completion bash)
_drover() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" last="" word words=()
  local valued=" ${valued.join(" ")} "
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    [ "$word" = "--" ] && return
    case "$word" in
      -*) ;;
      *) [[ "$valued" == *" $last "* ]] || words+=("$word") ;;
    esac
    last="$word"
  done
  case "$previous" in
${values.join("\n")}
  esac
  [[ "$valued" == *" $previous "* ]] && return
  case "\${words[0]} \${words[1]}" in
${cases.join("\n")}
  esac
}
complete -o default -F _drover drover
`;
}

function offer(entries: readonly Entry[]): string {
  return `COMPREPLY=($(compgen -W "${entries.map(([word]) => word).join(" ")}" -- "$current"))`;
}
