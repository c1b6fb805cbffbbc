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

/** The completion script for zsh. */
export function renderZsh(commands: readonly Command[]): string {
  const cases = [
    ...commands.map((each) => `    ${pathPattern(each)}) entries=(${quote(entriesOf(each))}) ;;`),
    ...nouns(commands).map(([noun]) => `    "${noun} "*) entries=(${quote(verbEntries(noun, commands))}) ;;`),
    `    *) entries=(${quote([...firstEntries(commands), ...flagEntries({})])}) ;;`,
  ];
  const valued = valueFlags(commands).flatMap(({ typed }) => typed);
  const values = valueFlags(commands).map(({ typed, option: { words, isFile } }) => {
    const action =
      words !== undefined ? `compadd -- ${words.join(" ")}` : isFile === true ? "_files" : "_message value";
    return `    ${typed.join("|")}) ${action}; return ;;`;
  });
  return `#compdef drover
# Completion of drover for zsh. Load it with: source <(drover completion zsh)
_drover() {
  local -a typed entries valued
  local word last="" previous="\${words[CURRENT-1]}"
  valued=(${valued.join(" ")})
  for word in "\${words[@]:1:$((CURRENT-2))}"; do
    if [[ "$word" == "--" ]]; then _files; return; fi
    if [[ "$word" != -* ]] && (( ! \${valued[(Ie)$last]} )); then typed+=("$word"); fi
    last="$word"
  done
  case "$previous" in
${values.join("\n")}
  esac
  case "\${typed[1]} \${typed[2]}" in
${cases.join("\n")}
  esac
  _describe 'drover' entries
}
if [ "$funcstack[1]" = "_drover" ]; then _drover "$@"; else compdef _drover drover; fi
`;
}

function quote(entries: readonly Entry[]): string {
  return entries
    .map((entry) => `'${entry.map((text) => text.replaceAll(":", "\\:").replaceAll("'", `'\\''`)).join(":")}'`)
    .join(" ");
}
