import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { commands } from "./catalog.ts";
import { renderCompletion, shells } from "./completion.ts";

/** What bash offers for the last of these words. */
function offered(...words: string[]): string[] {
  const script = `${renderCompletion("bash", commands)}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _drover; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const answer = execFileSync("bash", ["-c", script, "bash", "drover", ...words], { encoding: "utf8" });
  return answer.split("\n").filter(Boolean);
}

describe("completion in bash", () => {
  it("offers nouns, verbs and flags by what has been typed", () => {
    expect(offered("")).toEqual(expect.arrayContaining(["up", "task", "class", "node", "--address"]));
    expect(offered("task", "")).toEqual(["submit", "get", "list", "watch", "logs", "cancel", "retry"]);
    expect(offered("task", "list", "--st")).toEqual(["--state"]);
    expect(offered("up", "--pro")).toEqual(["--process"]);
  });

  it("offers the values that are known", () => {
    expect(offered("task", "list", "--state", "c")).toEqual(["completed", "cancelled"]);
    expect(offered("completion", "z")).toEqual(["zsh"]);
    expect(offered("class", "limit", "gpu", "n")).toEqual(["none"]);
  });

  it("does not take the value of a flag for a word of the command", () => {
    expect(offered("--address", "http://x", "task", "list", "--lim")).toEqual(["--limit"]);
    expect(offered("--namespace", "t")).toEqual([]);
  });

  it("leaves what stands after -- alone", () => {
    expect(offered("task", "submit", "--", "--im")).toEqual([]);
  });
});

describe("a completion script", () => {
  it.each(shells)("of %s knows every command and every flag", (shell) => {
    const script = renderCompletion(shell, commands);
    for (const { name, options } of commands) {
      for (const word of name.split(" ")) expect(script).toContain(word);
      for (const flag of Object.keys(options)) expect(script).toContain(shell === "fish" ? `-l ${flag} ` : `--${flag}`);
    }
  });
});
