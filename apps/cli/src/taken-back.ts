import type { Environment, Generation } from "@drover/proto/drover/environment";
import type { Context } from "./command.ts";

/** The newest generation of an environment, where it is an older one again; undefined: it is one of its own. */
export async function findTakenBack(
  { client, signal }: Pick<Context, "client" | "signal">,
  { name, generation }: Pick<Environment, "name" | "generation">,
): Promise<Generation | undefined> {
  if (generation < 2) return undefined;
  const { generations } = await client.environments.listGenerations({ name }, { signal });
  const newest = generations.find((one) => one.generation === generation);
  return newest !== undefined && newest.copyOf > 0 ? newest : undefined;
}

/** "generation 5 failed (why) and was taken back: generation 6 is generation 4 again". */
export function takenBackText({ generation, copyOf, actor }: Generation, failed: number, reason = ""): string {
  const because = reason === "" ? "" : ` (${reason.replace(/\.$/, "")})`;
  const [how, who] = isByItself(actor) ? [`failed${because} and was`, ""] : ["was", ` by ${actor}`];
  return `generation ${failed} ${how} taken back${who}: generation ${generation} is generation ${copyOf} again`;
}

function isByItself(actor: string): boolean {
  return actor === "roll-out";
}
