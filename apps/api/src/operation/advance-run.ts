import type { Executor } from "@drover/db/client";
import type { TakenRun, TakenSignal } from "@drover/db/query/advance";
import type { Json } from "@drover/domain/json";
import { formatRunId } from "@drover/domain/run-id";
import { advance } from "@drover/domain/workflow/advance";
import type { AdvanceQuestion, RunFacts, Signal } from "@drover/domain/workflow/advance-question";
import type { JsonSchema } from "@drover/domain/workflow/definition";
import { graphAt } from "@drover/domain/workflow/graph-index";
import { asRow, createAdvanceReader } from "./advance-reader.ts";
import type { Plan } from "./advance-plan.ts";
import type { UnitResolver } from "./advance-unit.ts";
import type { KnownVersion } from "./definition-cache.ts";
import { type Ids, IdsExhausted } from "./id-source.ts";

export interface RunDecision {
  tx: Executor;
  run: TakenRun;
  version: KnownVersion;
  resolveUnits: UnitResolver;
  ids: Ids;
  validate: (schema: JsonSchema, value: Json) => string[];
  plan: Plan;
}

/** Decides about one run: asks the engine, reads what it misses, asks again, and adds the answer to the plan. */
export async function decideRun({ tx, run, version, resolveUnits, ids, validate, plan }: RunDecision): Promise<void> {
  const graph = graphAt(version.definition, run.run.body);
  if (graph === undefined) throw new Error(`version ${run.run.versionId} has no body ${run.run.body}`);
  const reader = createAdvanceReader({ tx, run, graph });
  const question: Omit<AdvanceQuestion, "known"> = {
    run: factsOf(run, version.name),
    definition: version.definition,
    graph,
    signals: run.signals.flatMap(signalOf),
    newId: () => ids.next(run.now_ms),
    validate,
  };
  for (;;) {
    const outcome = ask({ ...question, known: reader.known });
    if ("exhausted" in outcome) {
      await ids.grow();
      continue;
    }
    if ("missing" in outcome) {
      await reader.load(outcome.missing);
      continue;
    }
    const units = await resolveUnits(tx, run, version, outcome.answer);
    if (units.refused.size === 0) return plan.add(run, outcome.answer, units);
    reader.refuse(units.refused);
  }
}

function ask(question: AdvanceQuestion): ReturnType<typeof advance> | { exhausted: true } {
  try {
    return advance(question);
  } catch (error) {
    if (error instanceof IdsExhausted) return { exhausted: true };
    throw error;
  }
}

function factsOf({ run_id, now_ms, run, open }: TakenRun, workflow: string): RunFacts {
  const { total, completed, failed, tolerated, skipped, cancelled, running, held } = open;
  return {
    id: formatRunId(run_id),
    workflow,
    input: run.input,
    fields: open.fields ?? {},
    mailbox: open.mailbox ?? [],
    counts: { total, completed, failed, tolerated, skipped, cancelled, running, held },
    stopping: open.stopping ?? undefined,
    cancelReason: open.cancelReason ?? undefined,
    isStarted: open.isStarted,
    nowMs: now_ms,
    deadlineMs: run.deadlineMs ?? undefined,
    isDue: open.isDue ?? false,
    wakeAtMs: open.wakeAtMs ?? undefined,
    depth: run.depth,
    rootId: formatRunId(run.rootRunId),
  };
}

/** A signal as the engine takes it; one about a task that is gone or open again says nothing. */
function signalOf(signal: TakenSignal): Signal[] {
  const { data, row, header } = signal;
  switch (signal.kind) {
    case "start":
      return [{ kind: "start" }];
    case "cancel":
      return [{ kind: "cancel", reason: textOf(data?.["reason"]) }];
    case "event":
      return [{ kind: "event", name: textOf(data?.["name"]), data: data?.["data"] ?? null }];
    case "decision":
      return [
        {
          kind: "decision",
          step: textOf(data?.["step"]),
          isApproved: data?.["isApproved"] === true,
          approver: textOf(data?.["approver"]),
          comment: textOf(data?.["comment"]),
        },
      ];
    case "task":
    case "run": {
      if (signal.state === null || row === null) return [];
      const state = signal.state === "completed" || signal.state === "cancelled" ? signal.state : "failed";
      const { taskId, childRunId, error } = signal;
      return [{ kind: "ended", taskId, childRunId, end: { state, error }, row: asRow(row), header: asRow(header ?? row) }];
    }
  }
}

function textOf(value: Json | undefined): string {
  return typeof value === "string" ? value : "";
}
