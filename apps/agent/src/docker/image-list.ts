import type Docker from "dockerode";
import { type Answer, ask } from "./answer.ts";

/** The names of the images that lie on the engine, by tag and by digest; of very many, those of the newest. */
export async function listImageNames(
  docker: Docker,
  { maxNames = 500, timeoutMs = 30_000 }: { maxNames?: number; timeoutMs?: number } = {},
): Promise<Answer<string[]>> {
  const answer = await ask(timeoutMs, (abortSignal) => docker.listImages({ abortSignal }));
  if (!answer.ok) return answer;
  const newest = answer.value.toSorted((a, b) => b.Created - a.Created);
  const names = newest.flatMap(({ RepoTags: tags, RepoDigests: digests }) => [...(tags ?? []), ...(digests ?? [])]);
  // The engine lists what lost its name as `<none>`.
  const known = [...new Set(names)].filter((name) => !name.includes("<none>"));
  return { ok: true, value: known.slice(0, maxNames).toSorted() };
}
