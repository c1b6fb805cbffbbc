import type { Json } from "../json.ts";
import type { Work } from "./definition.ts";

/** What others see of a task's result: the whole, what its command handed over, or what it printed. */
export function viewOutput(work: Work, result: Json): Json {
  // What a model said is read, checked and stored by the engine: the answer as it came is nobody's output.
  if (work.kind === "llm") return null;
  if (work.kind !== "task") return result;
  const take = work.take ?? (work.execution === undefined ? "result" : "runnerOutput");
  if (take === "result" || result === null || typeof result !== "object" || Array.isArray(result)) return result;
  if (take === "stdout") return result["stdoutTail"] ?? "";
  return result["runnerOutput"] ?? result;
}
