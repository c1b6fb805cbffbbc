import type { Context, Hono } from "hono";
import type { Health } from "@drover/daemon/health";
import { queueDepths, sumEvents } from "@drover/db/query/control";
import { eventTotals } from "@drover/db/query/event";
import { getTaskDetails, listTasks } from "@drover/db/query/task";
import { compatStatus } from "@drover/domain/compat-task";
import type { Json } from "@drover/domain/json";
import { taskKeyTime } from "@drover/domain/task-id";
import type { Caller, Deps } from "../../operation/context.ts";
import { findTaskKey, taskIdOf, taskNotFound } from "../../operation/find-task.ts";
import { type CompatDraft, createSubmitCompatTask } from "../../operation/submit-compat-task.ts";
import type { DefinitionCache } from "../../operation/definition-cache.ts";
import type { SubmitTask } from "../../operation/submit-task.ts";
import { callerFrom } from "../../rpc/caller.ts";
import { taskResult } from "./task/view.ts";
import { mountWorkflows } from "./workflow/http.ts";

export interface OrchestratorHttpOptions {
  deps: Deps;
  submitTask: SubmitTask;
  definitions: DefinitionCache;
  health: Health;
}

/** The orchestrator's REST interface; faults are plain text. */
export function mountOrchestrator(app: Hono, { deps, submitTask, definitions, health }: OrchestratorHttpOptions): void {
  const submit = createSubmitCompatTask({ deps, submitTask, definitions });
  const counts = createQueueCounts(deps);
  const callerOf = (c: Context): Caller => callerFrom(c.req.raw.headers);
  const submitBody = async (c: Context) => {
    const draft = readDraft(await c.req.text());
    return typeof draft === "string" ? draft : { id: await submit(callerOf(c), draft) };
  };

  app.get("/health", (c) =>
    health.state().isReady ? c.json({ status: "ok" }) : c.json({ status: "unavailable" }, 503),
  );
  for (const path of ["/queue/submit", "/api/env-queue/submit"]) {
    app.post(path, async (c) => {
      const answer = await submitBody(c);
      return typeof answer === "string" ? c.text(answer, 400) : c.json({ ok: true, id: answer.id });
    });
  }
  app.get("/queue/status", async (c) => c.json(await counts()));
  app.get("/api/env-queue/stats", async (c) => {
    const namespaceId = await deps.directory.namespaceId(callerOf(c).namespace);
    const open = await listTasks(deps.db, namespaceId, { states: ["pending", "waiting"] }, 100);
    const items = open.map((row) => ({
      id: taskIdOf(row),
      class: row.class,
      status: compatStatus(row.state),
      submitted_at: taskKeyTime(BigInt(row.key)).toISOString(),
    }));
    return c.json({ pending: (await counts()).pending, items });
  });
  app.post("/tasks", async (c) => {
    const answer = await submitBody(c);
    return typeof answer === "string" ? c.text(answer, 400) : c.json({ task_id: answer.id });
  });
  app.get("/tasks/:id", async (c) => {
    const id = c.req.param("id");
    const caller = callerOf(c);
    const namespaceId = await deps.directory.namespaceId(caller.namespace);
    const [row] = await getTaskDetails(deps.db, namespaceId, [await findTaskKey(deps, caller, id)]);
    if (row === undefined) throw taskNotFound(id);
    const { taskId, durationMs, completedAt, ...rest } = taskResult(row);
    return c.json({ task_id: taskId, ...rest, duration_ms: durationMs, completed_at: Number(completedAt) });
  });
  // There are no Slurm jobs yet, so none is found; tasks of class gpu_slurm wait in the queue of that name.
  app.get("/slurm/status/:id", (c) => c.text("Job not found", 404));

  for (const [path, allow] of methods) {
    app.all(path, (c) => c.text(`Expected ${allow}, got ${c.req.method}.`, 405, { allow }));
  }
  mountWorkflows(app, { deps, definitions });
}

const methods = [
  ["/health", "GET"],
  ["/queue/submit", "POST"],
  ["/queue/status", "GET"],
  ["/api/env-queue/submit", "POST"],
  ["/api/env-queue/stats", "GET"],
  ["/tasks", "POST"],
  ["/tasks/:id", "GET"],
  ["/slurm/status/:id", "GET"],
] as const;

/** A draft, or the text of what is wrong with the body. Legacy clients say task_id and task_class. */
function readDraft(text: string): CompatDraft | string {
  const body = parseObject(text);
  if (body === undefined) return "invalid JSON";
  const id = body["id"] ?? body["task_id"] ?? "";
  const className = body["class"] ?? body["task_class"] ?? "";
  if (typeof id !== "string") return `invalid JSON: expected id to be a text, got ${JSON.stringify(id)}`;
  if (typeof className !== "string")
    return `invalid JSON: expected class to be a text, got ${JSON.stringify(className)}`;
  const { payload, priority } = body;
  return {
    id,
    class: className,
    payload: isObject(payload) ? payload : {},
    priority: typeof priority === "number" ? Math.trunc(priority) : 0,
    workflowId: typeof body["workflow_id"] === "string" ? body["workflow_id"] : "",
  };
}

function parseObject(text: string): Record<string, Json> | undefined {
  try {
    const value = JSON.parse(text) as Json;
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: Json | undefined): value is Record<string, Json> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Counts hot tables, so everyone who asks within a second gets the same answer. */
function createQueueCounts({ db }: Deps, maxAgeMs = 1000) {
  let latest: { at: number; answer: ReturnType<typeof count> } | undefined;
  const count = async () => {
    await sumEvents(db);
    const [depths, totals] = await Promise.all([queueDepths(db), eventTotals(db)]);
    const total = (kind: string): number => totals.get(kind) ?? 0;
    const processed = total("task.completed") + total("task.failed") + total("task.cancelled");
    return {
      pending: depths.pending + depths.waiting,
      done: processed,
      submitted: total("task.submitted"),
      processed,
      completed: total("task.completed"),
    };
  };
  return (): ReturnType<typeof count> => {
    const now = performance.now();
    if (latest === undefined || now - latest.at > maxAgeMs) {
      latest = { at: now, answer: count() };
      // What failed is not remembered.
      latest.answer.catch(() => (latest = undefined));
    }
    return latest.answer;
  };
}
