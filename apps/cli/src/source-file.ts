import type { Fault } from "@drover/document/source/fault";
import { readText } from "./text-file.ts";
import type { World } from "./world.ts";

/** A workflow or an environment as it stands in a file. */
export interface SourceFile {
  /** As it is shown: the path, or what stands for standard input. */
  name: string;
  text: string;
}

/** Reads such a file; "-" is standard input. Where it cannot be read, `next` is the command to try. */
export async function readSourceFile(path: string, world: Pick<World, "stdin">, next: string): Promise<SourceFile> {
  const text = await readText(path, world, `drover ${next}`);
  return { name: path === "-" ? "standard input" : path, text };
}

/** Whether a word means a file and not a name, which has no slash. */
export function isFileName(word: string): boolean {
  return word === "-" || word.includes("/") || /\.(ya?ml|json)$/i.test(word);
}

/** A fault for programs. */
export function faultJson({ message, hint, line, column, path }: Fault): Record<string, unknown> {
  return { line, column, path, message, ...(hint !== undefined && { hint }) };
}
