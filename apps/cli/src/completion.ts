import type { Command } from "./command.ts";
import { globalOptions } from "./global.ts";
import type { Option } from "./option.ts";

export const shells = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof shells)[number];

/** A script that teaches a shell the commands, the flags and the values that are known beforehand. */
export function renderCompletion(shell: Shell, commands: readonly Command[]): string {
  return { bash: renderBash, zsh: renderZsh, fish: renderFish }[shell](commands);
}

function renderBash(commands: readonly Command[]): string {
  return `# Completion of drover for bash. Load it with: source <(drover completion bash)
_drover() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" words=() word path
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    [ "$word" = "--" ] && return
    case "$word" in -*) ;; *) words+=("$word") ;; esac
  done
  case "$previous" in
${valueCases(commands)}
  esac
  path="\${words[0]} \${words[1]}"
  case "$path" in
${commands.map((each) => `    ${bashPattern(each)}) COMPREPLY=($(compgen -W "${wordsOf(each).join(" ")}" -- "$current")) ;;`).join("\n")}
${nouns(commands)
  .map(([noun, verbs]) => `    "${noun} "*) COMPREPLY=($(compgen -W "${verbs.join(" ")}" -- "$current")) ;;`)
  .join("\n")}
    *) COMPREPLY=($(compgen -W "${firstWords(commands).join(" ")} ${flagsOf({}).join(" ")}" -- "$current")) ;;
  esac
}
complete -o default -F _drover drover
`;
}

function bashPattern({ name }: Command): string {
  return name.includes(" ") ? `"${name}"` : `"${name} "*`;
}

/** What may follow a flag that takes a value: its words, a file, or nothing that we know. */
function valueCases(commands: readonly Command[]): string {
  return [...valueOptions(commands)]
    .map(([name, { words, isFile, short }]) => {
      const pattern = short === undefined ? `--${name}` : `--${name}|-${short}`;
      if (words !== undefined)
        return `    ${pattern}) COMPREPLY=($(compgen -W "${words.join(" ")}" -- "$current")); return ;;`;
      return `    ${pattern}) ${isFile === true ? 'COMPREPLY=($(compgen -f -- "$current")); ' : ""}return ;;`;
    })
    .join("\n");
}

function renderZsh(commands: readonly Command[]): string {
  const entries = (list: readonly (readonly [string, string])[]) =>
    list.map(([word, doc]) => `'${zshText(word)}:${zshText(doc)}'`).join(" ");
  return `#compdef drover
# Completion of drover for zsh. Load it with: source <(drover completion zsh)
_drover() {
  local -a words_typed entries
  local word previous="\${words[CURRENT-1]}"
  for word in "\${words[@]:1:$((CURRENT-2))}"; do
    [[ "$word" == "--" ]] && { _normal; return }
    [[ "$word" == -* ]] || words_typed+=("$word")
  done
  case "$previous" in
${[...valueOptions(commands)]
  .map(([name, { words, short }]) => {
    const pattern = short === undefined ? `--${name}` : `--${name}|-${short}`;
    return `    ${pattern}) ${words === undefined ? "_files" : `compadd -- ${words.join(" ")}`}; return ;;`;
  })
  .join("\n")}
  esac
  case "\${words_typed[1]} \${words_typed[2]}" in
${commands.map((each) => `    ${bashPattern(each)}) entries=(${entries(flagEntries(each))}) ;;`).join("\n")}
${nouns(commands)
  .map(([noun]) => `    "${noun} "*) entries=(${entries(verbEntries(noun, commands))}) ;;`)
  .join("\n")}
    *) entries=(${entries(firstEntries(commands))}) ;;
  esac
  _describe 'drover' entries
}
if [ "$funcstack[1]" = "_drover" ]; then _drover "$@"; else compdef _drover drover; fi
`;
}

function zshText(text: string): string {
  return text.replaceAll("'", `'\\''`).replaceAll(":", "\\:");
}

function renderFish(commands: readonly Command[]): string {
  const lines = [
    "# Completion of drover for fish. Load it with: drover completion fish | source",
    "complete -c drover -f",
  ];
  const all = firstWords(commands).join(" ");
  for (const [word, doc] of firstEntries(commands)) {
    lines.push(`complete -c drover -n "not __fish_seen_subcommand_from ${all}" -a ${word} -d ${fishText(doc)}`);
  }
  for (const [noun, verbs] of nouns(commands)) {
    const condition = `__fish_seen_subcommand_from ${noun}; and not __fish_seen_subcommand_from ${verbs.join(" ")}`;
    for (const [verb, doc] of verbEntries(noun, commands))
      lines.push(`complete -c drover -n "${condition}" -a ${verb} -d ${fishText(doc)}`);
  }
  for (const command of commands) {
    const condition = command.name
      .split(" ")
      .map((word) => `__fish_seen_subcommand_from ${word}`)
      .join("; and ");
    for (const [name, option] of Object.entries(command.options))
      lines.push(`complete -c drover -n "${condition}" ${fishFlag(name, option)}`);
    for (const { words = [] } of command.positionals) {
      if (words.length > 0) lines.push(`complete -c drover -n "${condition}" -a "${words.join(" ")}"`);
    }
  }
  for (const [name, option] of Object.entries(globalOptions))
    lines.push(`complete -c drover ${fishFlag(name, option)}`);
  return `${lines.join("\n")}\n`;
}

function fishFlag(name: string, { short, placeholder, words, isFile, doc }: Option): string {
  const takes =
    placeholder === undefined
      ? ""
      : isFile === true
        ? " -r -F"
        : words === undefined
          ? " -x"
          : ` -x -a "${words.join(" ")}"`;
  return `-l ${name}${short === undefined ? "" : ` -s ${short}`}${takes} -d ${fishText(doc)}`;
}

function fishText(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

/** Each noun with its verbs. */
function nouns(commands: readonly Command[]): [string, string[]][] {
  const found = new Map<string, string[]>();
  for (const { name } of commands) {
    const [noun = "", verb] = name.split(" ");
    if (verb !== undefined) found.set(noun, [...(found.get(noun) ?? []), verb]);
  }
  return [...found];
}

function firstWords(commands: readonly Command[]): string[] {
  return firstEntries(commands).map(([word]) => word);
}

function firstEntries(commands: readonly Command[]): [string, string][] {
  const verbsByNoun = new Map(nouns(commands));
  const entries = new Map<string, string>();
  for (const { name, summary } of commands) {
    const [noun = ""] = name.split(" ");
    entries.set(noun, verbsByNoun.has(noun) ? (verbsByNoun.get(noun) ?? []).join(", ") : summary);
  }
  return [...entries];
}

function verbEntries(noun: string, commands: readonly Command[]): [string, string][] {
  return commands.flatMap(({ name, summary }) =>
    name.startsWith(`${noun} `) ? [[name.slice(noun.length + 1), summary]] : [],
  );
}

function wordsOf(command: Command): string[] {
  return [...command.positionals.flatMap(({ words = [] }) => words), ...flagsOf(command.options)];
}

function flagsOf(options: Command["options"]): string[] {
  return Object.keys({ ...options, ...globalOptions }).map((name) => `--${name}`);
}

function flagEntries(command: Command): [string, string][] {
  const words = command.positionals.flatMap(({ words: known = [], doc }) =>
    known.map((word): [string, string] => [word, doc]),
  );
  const flags = Object.entries({ ...command.options, ...globalOptions }).map(([name, option]): [string, string] => [
    `--${name}`,
    option.doc,
  ]);
  return [...words, ...flags];
}

function valueOptions(commands: readonly Command[]): Map<string, Option> {
  const all = [globalOptions, ...commands.map(({ options }) => options)].flatMap((options) =>
    Object.entries<Option>(options),
  );
  return new Map(all.filter(([, { placeholder }]) => placeholder !== undefined));
}
