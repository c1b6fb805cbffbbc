import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import type { Health } from "@drover/daemon/health";
import type { Metrics } from "@drover/daemon/metric";
import { getTaskDetails } from "@drover/db/query/task";
import { DroverError } from "@drover/domain/error";
import { decodePayload } from "@drover/domain/payload";
import {
  GetTaskStatusResponseSchema,
  type OrchestratorService,
  SystemEventSchema,
  TaskResultSchema,
} from "@drover/proto/orchestrator/orchestrator";
import type { metrics as declarations } from "../../metric.ts";
import type { Deps } from "../../operation/context.ts";
import type { DefinitionCache } from "../../operation/definition-cache.ts";
import { findTaskKeys } from "../../operation/find-task.ts";
import { createSubmitCompatTask } from "../../operation/submit-compat-task.ts";
import type { SubmitTask } from "../../operation/submit-task.ts";
import { callerOf } from "../../rpc/caller.ts";
import type { RunWatch } from "../../watch/run.ts";
import type { TaskWatch } from "../../watch/task.ts";
import { describeHealth } from "./health.ts";
import { selectSeries } from "./metric-series.ts";
import { refusalOf } from "./refusal.ts";
import { streamAll } from "./task/stream-all.ts";
import { streamEvents } from "./event/stream.ts";
import { streamNamed } from "./task/stream-named.ts";
import { taskStatus } from "./task/view.ts";
import { workflowCalls } from "./workflow/rpc.ts";

export interface OrchestratorOptions {
  deps: Deps;
  submitTask: SubmitTask;
  watch: TaskWatch;
  runWatch: RunWatch;
  definitions: DefinitionCache;
  metrics: Metrics<typeof declarations>;
  health: Health;
}

/** orchestrator.v1.OrchestratorService. */
export function orchestratorService(options: OrchestratorOptions): ServiceImpl<typeof OrchestratorService> {
  const { deps, watch, metrics, health } = options;
  const submit = createSubmitCompatTask(options);
  return {
    async submitTask(request, context) {
      const { id, payload, workflowId, priority } = request;
      const draft = { id, class: request.class, payload: decodePayload(payload), workflowId, priority };
      try {
        return { success: true, taskId: await submit(callerOf(context), draft) };
      } catch (error) {
        return { success: false, taskId: id.trim(), error: refusalOf(error) };
      }
    },

    async getTaskStatus(request, context) {
      const id = request.taskId.trim();
      if (id === "") throw new DroverError("invalid", "task_id is required");
      const caller = callerOf(context);
      const key = (await findTaskKeys(deps, caller, [id])).get(id);
      const namespaceId = await deps.directory.namespaceId(caller.namespace);
      const [row] = key === undefined ? [] : await getTaskDetails(deps.db, namespaceId, [key]);
      if (row === undefined) throw new DroverError("not_found", "task not found");
      return create(GetTaskStatusResponseSchema, taskStatus(row));
    },

    async *streamTaskResults({ taskIds, includeCompleted }, context) {
      const { signal } = context;
      const caller = callerOf(context);
      const ids = [...new Set(taskIds.map((id) => id.trim()).filter((id) => id !== ""))];
      const namespaceId = await deps.directory.namespaceId(caller.namespace);
      const results =
        taskIds.length === 0
          ? streamAll({ deps, namespaceId, includeCompleted, signal })
          : streamNamed({ deps, watch, caller, ids, includeCompleted, signal });
      for await (const result of results) yield create(TaskResultSchema, result);
    },

    ...workflowCalls(options),

    async getMetrics({ metricNames }) {
      const timestamp = BigInt(Math.floor(Date.now() / 1000));
      return { metrics: selectSeries(await metrics.series(), metricNames), timestamp };
    },

    async *streamEvents({ eventTypes, sinceTimestamp }, context) {
      const namespaceId = await deps.directory.namespaceId(callerOf(context).namespace);
      const events = streamEvents({ deps, namespaceId, eventTypes, sinceTimestamp, signal: context.signal });
      for await (const event of events) yield create(SystemEventSchema, event);
    },

    health: () => describeHealth(health.state()),
  };
}
