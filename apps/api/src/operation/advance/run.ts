import type { TakenRun, TakenSignal } from "@drover/db/query/advance";
import type { Json } from "@drover/domain/json";
import { formatRunId } from "@drover/domain/run-id";
import { advance } from "@drover/domain/workflow/engine/advance";
import type { AdvanceQuestion, RunFacts, Signal } from "@drover/domain/workflow/engine/advance-question";
import type { JsonSchema } from "@drover/domain/workflow/definition";
import { graphAt } from "@drover/domain/workflow/graph-index";
import { asRow, createReading, type Reading } from "./reader.ts";
import type { KnownVersion } from "../definition-cache.ts";
import { type Ids, IdsExhausted } from "./id.ts";

/** One run that is being decided about, as often as something more had to be read. */
export interface Decision {
  readonly run: TakenRun;
  readonly version: KnownVersion;
  readonly reading: Reading;
  /** Puts the question with what is known by now. */
  ask(): ReturnType<typeof advance> | { exhausted: true };
}

/** The question about one run. */
export function createDecision({
  run,
  version,
  ids,
  validate,
}: {
  run: TakenRun;
  version: KnownVersion;
  ids: Ids;
  validate: (schema: JsonSchema, value: Json) => string[];
}): Decision {
  const graph = graphAt(version.definition, run.run.body);
  if (graph === undefined) throw new Error(`version ${run.run.versionId} has no body ${run.run.body}`);
  const reading = createReading(run, graph);
  const question: AdvanceQuestion = {
    run: factsOf(run, version.name),
    definition: version.definition,
    graph,
    signals: run.signals.flatMap(signalOf),
    known: reading.known,
    newId: () => ids.next(run.now_ms),
    validate,
  };
  return {
    run,
    version,
    reading,
    ask() {
      try {
        return advance(question);
      } catch (error) {
        if (error instanceof IdsExhausted) return { exhausted: true };
        throw error;
      }
    },
  };
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
      return [
        { kind: "ended", taskId, childRunId, end: { state, error }, row: asRow(row), header: asRow(header ?? row) },
      ];
    }
  }
}

function textOf(value: Json | undefined): string {
  return typeof value === "string" ? value : "";
}
