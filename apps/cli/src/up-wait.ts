import { setTimeout as pause } from "node:timers/promises";
import { DroverError } from "@drover/domain/error";
import type { Node } from "@drover/proto/drover/node";
import type { Child } from "./child.ts";
import { createApiClient } from "./client.ts";
import type { Context } from "./command.ts";
import { formatDuration } from "./duration.ts";
import { getPage } from "./http-get.ts";
import { nodeStateWord } from "./word.ts";

const startMs = 90_000;
const joinMs = 20_000;

/** Waits until the API answers that it is ready; `urls` tells its addresses, none until it serves. */
export async function untilReady({ signal }: Context, api: Child, urls: () => readonly string[]): Promise<void> {
  const deadline = performance.now() + startMs;
  let last = "it serves no address yet";
  while (performance.now() < deadline) {
    if (api.hasEnded) throw await endedError(api);
    const [url] = urls();
    if (url !== undefined) {
      const page = await getPage({ url: `${reachable(url)}/health/ready`, signal, isOurs: true }).catch(String);
      if (typeof page !== "string" && page.status === 200) return;
      last = typeof page === "string" ? page : `it answers ${page.status} ${page.body.slice(0, 200)}`;
    }
    await pause(50, undefined, { signal });
  }
  const message = `Expected the API to be ready within ${formatDuration(startMs)}: ${last}.`;
  throw new DroverError("deadline", message, { hint: "drover up --verbose" });
}

/** Waits until the node of the agent takes work; undefined when it has not by then, which is no reason to give up. */
export async function untilJoined(
  { signal, world }: Context,
  agent: Child,
  url: string,
  name: string,
): Promise<Node | undefined> {
  // Our own certificate need not be one that a client trusts.
  if (!url.startsWith("http:")) return undefined;
  const client = createApiClient({ connect: world.connect, address: reachable(url), namespace: "default" });
  const deadline = performance.now() + joinMs;
  while (performance.now() < deadline) {
    if (agent.hasEnded) throw await endedError(agent);
    const { node } = await client.nodes.getNode({ name }, { signal }).catch(() => ({ node: undefined }));
    if (node !== undefined && nodeStateWord(node.state) === "ready") return node;
    await pause(100, undefined, { signal });
  }
  return undefined;
}

/** What is said of a program that ended although nobody asked it to. */
export async function endedError(child: Child): Promise<DroverError> {
  const message = `The ${programTitle[child.name]} ended (${await child.ended}) although it was not asked to; what it said is above.`;
  return new DroverError("internal", message, { hint: "drover up --verbose" });
}

/** The programs as people call them. */
export const programTitle = { api: "API", agent: "agent" } as const;

/** An address that can be connected to, for one that can be listened on. */
function reachable(url: string): string {
  return url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:");
}
