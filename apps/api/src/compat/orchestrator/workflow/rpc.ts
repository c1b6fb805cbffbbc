import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { DroverError } from "@drover/domain/error";
import { decodePayload } from "@drover/domain/payload";
import { formatRunId } from "@drover/domain/run-id";
import { type OrchestratorService, WorkflowStatusUpdateSchema } from "@drover/proto/orchestrator/orchestrator";
import type { Deps } from "../../../operation/context.ts";
import type { DefinitionCache } from "../../../operation/definition-cache.ts";
import { saveCompatWorkflow } from "../../../operation/save-compat-workflow.ts";
import { startCompatRun } from "../../../operation/start-compat-run.ts";
import { callerOf } from "../../../rpc/caller.ts";
import type { RunWatch } from "../../../watch/run.ts";
import { refusalOf } from "../refusal.ts";
import { streamStatus } from "./stream-status.ts";

export interface WorkflowCallOptions {
  deps: Deps;
  definitions: DefinitionCache;
  runWatch: RunWatch;
}

type WorkflowCalls = Pick<
  ServiceImpl<typeof OrchestratorService>,
  "createWorkflow" | "startWorkflowRun" | "streamWorkflowStatus"
>;

/** The calls of orchestrator.v1 for workflows. */
export function workflowCalls({ deps, definitions, runWatch }: WorkflowCallOptions): WorkflowCalls {
  return {
    async createWorkflow({ id, name, description, spec }, context) {
      try {
        const source = { text: readSpec(spec), id: id.trim(), name: name.trim(), description };
        const saved = await saveCompatWorkflow(deps, callerOf(context), source);
        return { success: true, workflowId: saved.name };
      } catch (error) {
        return { success: false, workflowId: id.trim(), error: refusalOf(error) };
      }
    },

    async startWorkflowRun({ workflowId, idempotencyKey, input }, context) {
      const workflow = workflowId.trim();
      try {
        if (workflow === "") throw new DroverError("invalid", "workflow_id is required");
        const draft = { workflow, idempotencyKey, input: decodePayload(input) };
        return { success: true, runId: formatRunId(await startCompatRun(deps, callerOf(context), draft)) };
      } catch (error) {
        return { success: false, error: refusalOf(error) };
      }
    },

    async *streamWorkflowStatus({ runId }, context) {
      const id = runId.trim();
      if (id === "") throw new DroverError("invalid", "run_id is required");
      const namespaceId = await deps.directory.namespaceId(callerOf(context).namespace);
      const updates = streamStatus({ deps, definitions, runWatch, namespaceId, id, signal: context.signal });
      for await (const update of updates) yield create(WorkflowStatusUpdateSchema, update);
    },
  };
}

function readSpec(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new DroverError("invalid", "invalid workflow payload: expected UTF-8");
  }
}
