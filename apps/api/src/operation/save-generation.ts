import type { Executor } from "@drover/db/client";
import { type EnvironmentRow, insertGeneration, tellEnvironment } from "@drover/db/query/environment";
import { ensureServices, listRunning, listServices, settleServices } from "@drover/db/query/service";
import type { Declaration } from "@drover/domain/environment/declaration";
import { planEnvironment, type PlanStep } from "@drover/domain/environment/plan";
import { canonicalJson } from "@drover/domain/json";

export interface GenerationDraft {
  source: string;
  declaration: Declaration;
  copyOf?: number;
  actor: string;
}

/** Saves a generation unless the newest one is equal; the caller holds the environment's lock, and has replicas follow. */
export async function saveGeneration(
  tx: Executor,
  environment: { id: number; namespaceId: number; newest: EnvironmentRow | undefined },
  draft: GenerationDraft,
): Promise<{ created: boolean; steps: PlanStep[] }> {
  const { id, namespaceId, newest } = environment;
  const { declaration, source, copyOf, actor } = draft;
  const steps = planEnvironment(newest?.declaration, declaration);
  if (newest !== undefined && isEqual(newest, draft)) return { created: false, steps };
  const generation = (newest?.generation ?? 0) + 1;
  await insertGeneration(tx, { environmentId: id, generation, source, declaration, copyOf, actor });
  await ensureServices(
    tx,
    id,
    declaration.services.map((service) => service.name),
  );
  // What was good and stays as it is, is good: should it fail now, then not because of this generation.
  const unchanged = new Set(
    steps.filter(({ action }) => action !== "create" && action !== "replace").map((step) => step.service),
  );
  const carried = (await listServices(tx, [id])).filter(
    (service) =>
      unchanged.has(service.name) &&
      service.settled_generation > 0 &&
      service.settled_generation === newest?.generation,
  );
  // What only just runs is what the new generation may have to go back to; one that is gone back to itself is not left again.
  if (newest !== undefined && copyOf === undefined) {
    const running = await listRunning(tx, { id, generation: newest.generation });
    await settleServices(
      tx,
      running.map((service) => service.id),
      newest.generation,
    );
  }
  await settleServices(
    tx,
    carried.map((service) => service.id),
    generation,
  );
  await tellEnvironment(tx, {
    namespaceId,
    kind: copyOf === undefined ? "environment.applied" : "environment.rolled_back",
    actor,
    data: { environment: declaration.name, generation, ...(copyOf !== undefined && { copy_of: copyOf }) },
  });
  return { created: true, steps };
}

function isEqual(newest: EnvironmentRow, { source, declaration }: GenerationDraft): boolean {
  if (newest.deletion_requested_at !== null) return false;
  return newest.source === source && canonicalJson(newest.declaration) === canonicalJson(declaration);
}
