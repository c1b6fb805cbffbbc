import type { Command } from "./command.ts";
import { renderBash } from "./completion/bash.ts";
import { renderFish } from "./completion/fish.ts";
import { renderZsh } from "./completion/zsh.ts";

export const shells = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof shells)[number];

/** A script that teaches a shell the commands, the flags, and the values that are known beforehand. */
export function renderCompletion(shell: Shell, commands: readonly Command[]): string {
  return { bash: renderBash, zsh: renderZsh, fish: renderFish }[shell](commands);
}
