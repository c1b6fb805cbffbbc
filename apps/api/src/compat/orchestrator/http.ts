import type { Hono } from "hono";
import type { Health } from "@drover/daemon/health";
import type { Deps } from "../../operation/context.ts";
import type { SubmitTask } from "../../operation/submit-task.ts";

export interface OrchestratorHttpOptions {
  deps: Deps;
  submitTask: SubmitTask;
  health: Health;
}

/** The orchestrator's REST interface. */
export function mountOrchestrator(app: Hono, _options: OrchestratorHttpOptions): void {
  app.get("/health", (c) => c.json({ status: "ok" }));
}
