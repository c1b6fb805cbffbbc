import type { Executor } from "@drover/db/client";
import { takeRuns, type TakenRun, writeAdvance } from "@drover/db/query/advance";
import { DroverError } from "@drover/domain/error";
import { formatRunId } from "@drover/domain/run-id";
import { validateJson } from "@drover/workflow/validate";
import type { Missing } from "@drover/domain/workflow/engine/advance-question";
import { createPlan, type Plan } from "./advance/plan.ts";
import { loadMissing, type Reading } from "./advance/reader.ts";
import { createDecision, type Decision } from "./advance/run.ts";
import { createUnitResolver } from "./advance/unit.ts";
import type { Deps } from "./context.ts";
import type { DefinitionCache } from "./definition-cache.ts";
import { createIds } from "./advance/id.ts";

export interface AdvanceOptions {
  deps: Deps;
  definitions: DefinitionCache;
  maxRuns?: number;
  maxSignals?: number;
  /** How many nested runs may come from one run. */
  maxNestedRuns?: number;
  /** Told of a run that the engine failed at. */
  onFault: (error: unknown, runId: string) => void;
}

export interface Advanced {
  runs: number;
  /** It took as much as one transaction takes: others may as well take more meanwhile. */
  isFull: boolean;
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
  maxSignals = 2000,
  maxNestedRuns = 100_000,
  onFault,
}: AdvanceOptions): () => Promise<Advanced> {
  const resolveUnits = createUnitResolver({ deps, maxNestedRuns });
  const ids = createIds({ db: deps.db });

  /** A fault of the database ends the transaction; a fault of ours must not hold up every other run. */
  const abandon = (plan: Plan, run: TakenRun, error: unknown) => {
    if (error instanceof DroverError) throw error;
    onFault(error, formatRunId(run.run_id));
    plan.abandon(run, "Drover could not advance this run; its log says why.");
  };

  async function begin(tx: Executor, run: TakenRun, plan: Plan): Promise<Decision | undefined> {
    const version = await definitions(tx, run.run.versionId);
    try {
      return createDecision({ run, version, ids, validate: validateJson });
    } catch (error) {
      abandon(plan, run, error);
      return undefined;
    }
  }

  /** Asks about every run, reads what is missing for all of them together, and asks again, until all are decided. */
  async function decide(tx: Executor, runs: readonly TakenRun[], plan: Plan): Promise<void> {
    let open: Decision[] = [];
    for (const run of runs) {
      const decision = await begin(tx, run, plan);
      if (decision !== undefined) open.push(decision);
    }
    while (open.length > 0) {
      const undecided: Decision[] = [];
      const requests: { reading: Reading; missing: Missing }[] = [];
      let isExhausted = false;
      for (const decision of open) {
        const { run, version, reading } = decision;
        try {
          const outcome = decision.ask();
          if ("answer" in outcome) {
            const units = await resolveUnits(tx, run, version, outcome.answer, plan.begunUnder);
            if (units.refused.size === 0) {
              plan.add(run, outcome.answer, units);
              continue;
            }
            reading.refuse(units.refused);
          } else if ("missing" in outcome) requests.push({ reading, missing: outcome.missing });
          else isExhausted = true;
          undecided.push(decision);
        } catch (error) {
          abandon(plan, run, error);
        }
      }
      if (isExhausted) await ids.grow();
      if (requests.length > 0) await loadMissing(tx, requests);
      open = undecided;
    }
  }

  return async () => {
    const plan = createPlan();
    await ids.refill();
    const taken = await deps.db.transaction(async (tx) => {
      const runs = await takeRuns(tx, maxRuns, maxSignals);
      await decide(tx, runs, plan);
      // Hints that leave with the commit are a round trip sooner, but commits that notify go one after the other.
      const isCarried = plan.hints.size > 0 && deps.waker.take();
      if (runs.length > 0) await writeAdvance(tx, plan.content, isCarried ? [...plan.hints] : []);
      if (isCarried) plan.hints.clear();
      return runs;
    });
    for (const hint of plan.hints) deps.waker.wake(hint);
    const signals = taken.reduce((sum, run) => sum + run.signals.length, 0);
    const isFull = taken.length >= maxRuns || signals >= maxSignals;
    return { runs: taken.length, isFull, hasMore: isFull || plan.hasFollowUp };
  };
}
