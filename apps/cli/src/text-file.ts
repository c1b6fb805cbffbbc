import { readFile } from "node:fs/promises";
import { DroverError } from "@drover/domain/error";
import type { World } from "./world.ts";

/** Reads a file as text; "-" is standard input. */
export async function readText(path: string, { stdin }: Pick<World, "stdin">, hint: string): Promise<string> {
  if (path === "-") return readAll(stdin);
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw unreadable(path, error, hint);
  }
}

/** What is said of a file that cannot be read. */
export function unreadable(path: string, error: unknown, hint: string): DroverError {
  const code = typeof error === "object" && error !== null && "code" in error ? error.code : "";
  const cause = code === "ENOENT" ? "there is none" : error instanceof Error ? error.message : String(error);
  return new DroverError("invalid", `Expected a file that can be read at ${path}: ${cause}.`, { hint, cause: error });
}

async function readAll(stdin: AsyncIterable<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stdin) text += decoder.decode(chunk, { stream: true });
  return text + decoder.decode();
}
