import type { NodeReply, NodeRequestSpec } from "@drover/db/node/replica";
import { DroverError } from "@drover/domain/error";
import type { Engine } from "../docker/engine.ts";
import type { ContainerReader } from "../docker/reader.ts";
import { listContainers } from "./container.ts";
import { mapBounded } from "./map-bounded.ts";

export type UsageSpec = Extract<NodeRequestSpec, { kind: "usage" }>["spec"];

const atOnce = 16;

/** Measures the containers of replicas that run. */
export async function measureUsage(
  { engine, reader }: { engine: Engine; reader: ContainerReader },
  { replicaIds }: UsageSpec,
): Promise<NodeReply> {
  const containers = (await listContainers(engine)).filter(
    ({ replicaId, isRunning }) => isRunning && replicaIds.includes(replicaId),
  );
  const measured = await mapBounded(containers, atOnce, async ({ id, replicaId }) => {
    const answer = await reader.usage(id);
    if (answer.ok) return [{ replicaId, ...answer.value }];
    // It ended meanwhile.
    if (answer.fault === "missing" || answer.fault === "conflict") return [];
    throw new DroverError("unavailable", `Expected figures from the container engine, got: ${answer.message}`);
  });
  return { usage: measured.flat() };
}
