import { takeRuns, writeAdvance } from "@drover/db/query/advance";
import { DroverError } from "@drover/domain/error";
import { formatRunId } from "@drover/domain/run-id";
import { validateJson } from "@drover/workflow/validate";
import { createPlan } from "./advance-plan.ts";
import { decideRun } from "./advance-run.ts";
import { createUnitResolver } from "./advance-unit.ts";
import type { Deps } from "./context.ts";
import type { DefinitionCache } from "./definition-cache.ts";
import { createIds } from "./id-source.ts";

export interface AdvanceOptions {
  deps: Deps;
  definitions: DefinitionCache;
  maxRuns?: number;
  maxSignals?: number;
  /** Told of a run that the engine failed at. */
  onFault: (error: unknown, runId: string) => void;
}

export interface Advanced {
  runs: number;
  /** There may be more to do at once. */
  hasMore: boolean;
}

/**
 * Advances runs that were signalled or are due: locks them, decides what follows, and writes it, all in one transaction.
 * Safe on any number of replicas: a run is in one of them at a time, and what a dying one had taken is taken again.
 */
export function createAdvanceRuns({
  deps,
  definitions,
  maxRuns = 200,
  maxSignals = 5000,
  onFault,
}: AdvanceOptions): () => Promise<Advanced> {
  const resolveUnits = createUnitResolver({ deps });
  const ids = createIds({ db: deps.db });

  return async () => {
    const plan = createPlan();
    await ids.refill();
    const taken = await deps.db.transaction(async (tx) => {
      const runs = await takeRuns(tx, maxRuns, maxSignals);
      for (const run of runs) {
        const version = await definitions(tx, run.run.versionId);
        try {
          await decideRun({ tx, run, version, resolveUnits, ids, validate: validateJson, plan });
        } catch (error) {
          // A fault of the database ends the transaction; a fault of ours must not hold up every other run.
          if (error instanceof DroverError) throw error;
          onFault(error, formatRunId(run.run_id));
          plan.abandon(run, "Drover could not advance this run; its log says why.");
        }
      }
      if (runs.length > 0) await writeAdvance(tx, plan.content);
      return runs;
    });
    for (const hint of plan.hints) deps.waker.wake(hint);
    const signals = taken.reduce((sum, run) => sum + run.signals.length, 0);
    return { runs: taken.length, hasMore: taken.length >= maxRuns || signals >= maxSignals || plan.hasFollowUp };
  };
}
