import { defineCommand } from "../command.ts";
import { renderCompletion, shells } from "../completion.ts";
import { usageError } from "../parse.ts";

/** `drover completion` */
export const completion = defineCommand({
  name: "completion",
  summary: "Print a script that completes commands in your shell.",
  positionals: [{ name: "SHELL", doc: `One of ${shells.join(", ")}.`, words: shells }],
  options: {},
  examples: [
    { line: "source <(drover completion bash)", meaning: "For this shell; put it into ~/.bashrc for all" },
    { line: "drover completion fish > ~/.config/fish/completions/drover.fish", meaning: "For fish" },
  ],
  async run({ output, commands }, { positionals: [word = ""] }) {
    const shell = shells.find((each) => each === word);
    if (shell === undefined) {
      throw usageError("completion", [
        { field: "SHELL", message: `Expected one of ${shells.join(", ")}, got "${word}".` },
      ]);
    }
    output.raw(renderCompletion(shell, commands), "stdout");
    return 0;
  },
});
