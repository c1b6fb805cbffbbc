import { toJson } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import { runCost } from "@drover/db/query/ledger";
import { listRuns, listSteps, type RunRow } from "@drover/db/query/run";
import { DroverError } from "@drover/domain/error";
import type { Json } from "@drover/domain/json";
import { decodePageToken, encodePageToken } from "@drover/domain/page-token";
import { formatRunId } from "@drover/domain/run-id";
import type { Graph } from "@drover/domain/workflow/definition";
import { graphAt, stepAt } from "@drover/domain/workflow/graph-index";
import { isFinalRun, type RunState } from "@drover/domain/workflow/lifecycle";
import type { RunState as RunStateNumber, RunService } from "@drover/proto/drover/run";
import { cancelRun } from "../operation/cancel-run.ts";
import type { Caller, Deps } from "../operation/context.ts";
import { decideApproval } from "../operation/decide-approval.ts";
import type { DefinitionCache } from "../operation/definition-cache.ts";
import { findRun } from "../operation/find-run.ts";
import { resumeRun } from "../operation/resume-run.ts";
import { sendEvent } from "../operation/send-event.ts";
import { startRun } from "../operation/start-run.ts";
import type { RunWatch } from "../watch/run.ts";
import { callerOf } from "./caller.ts";
import { runDetailMessage, runMessage, runStates, stepMessage } from "./run-message.ts";

export interface RunServiceOptions {
  deps: Deps;
  definitions: DefinitionCache;
  runWatch: RunWatch;
}

/** drover.v1.RunService. */
export function runService({ deps, definitions, runWatch }: RunServiceOptions): ServiceImpl<typeof RunService> {
  const { db, directory } = deps;
  const graphOf = async (run: RunRow): Promise<Graph> => {
    const { definition } = await definitions(db, run.version_id);
    return graphAt(definition, run.body) ?? definition;
  };
  const read = async (caller: Caller, id: string, outputs: boolean) => {
    const run = await findRun(deps, caller, id);
    const graph = await graphOf(run);
    const rows = await listSteps(db, run.key, { items: false, limit: graph.steps.length, outputs });
    const costs = await runCost(db, [run.key]);
    return { row: run, run: runDetailMessage(run, graph, rows, costs.get(run.key)) };
  };

  return {
    async startRun({ workflow, version, input, idempotencyKey, labels }, context) {
      const { runId, created } = await db.transaction((tx) =>
        startRun(deps, tx, callerOf(context), {
          workflow,
          ...(version > 0 && { version }),
          input: input === undefined ? {} : (input as Json),
          ...(idempotencyKey !== "" && { idempotencyKey }),
          ...(Object.keys(labels).length > 0 && { labels }),
        }),
      );
      deps.waker.wake("advance");
      return { id: formatRunId(runId), created };
    },

    async getRun({ id }, context) {
      return { run: (await read(callerOf(context), id, true)).run };
    },

    async listRuns({ pageSize, pageToken, workflow, states, parentRunId }, context) {
      const caller = callerOf(context);
      const size = pageSize || 100;
      const shape = { workflow, states, parentRunId };
      const parent = parentRunId === "" ? undefined : await findRun(deps, caller, parentRunId);
      const filter = {
        workflow: workflow || undefined,
        states: states.map(stateName),
        parentKey: parent?.key,
        beforeKey: pageToken === "" ? undefined : decodePageToken(pageToken, shape)["key"],
      };
      const rows = await listRuns(db, await directory.namespaceId(caller.namespace), filter, size + 1);
      const page = rows.slice(0, size);
      const last = page.at(-1);
      const costs = await runCost(
        db,
        page.map((row) => row.key),
      );
      return {
        runs: page.map((row) => runMessage(row, costs.get(row.key))),
        nextPageToken: rows.length > size && last !== undefined ? encodePageToken({ key: last.key }, shape) : "",
      };
    },

    async listRunSteps({ id, step, pageSize, pageToken }, context) {
      const run = await findRun(deps, callerOf(context), id);
      const graph = await graphOf(run);
      const number = step === "" ? undefined : graph.steps.findIndex((one) => one.id === step);
      if (number === -1) {
        throw new DroverError("invalid", `Expected a step of workflow "${run.workflow}", got "${step}".`, {
          fields: [{ field: "step", message: "is not a step of the workflow" }],
        });
      }
      const size = pageSize || 100;
      const position = pageToken === "" ? undefined : decodePageToken(pageToken, { id, step });
      const after = position && { number: Number(position["number"]), item: Number(position["item"]) };
      const rows = await listSteps(db, run.key, {
        number,
        items: true,
        ...(after && { after }),
        limit: size + 1,
        outputs: true,
      });
      const page = rows.slice(0, size);
      const last = page.at(-1);
      const place = last && { number: String(last.number), item: String(last.item) };
      return {
        steps: page.map((row) => stepMessage(stepAt(graph, row.number), row, isFinalRun(run.state))),
        nextPageToken: rows.length > size && place !== undefined ? encodePageToken(place, { id, step }) : "",
      };
    },

    async *watchRun({ id }, context) {
      const caller = callerOf(context);
      const { key } = await findRun(deps, caller, id);
      for await (const _ of runWatch.changes(key, context.signal)) {
        const { row, run } = await read(caller, id, false);
        yield { run };
        if (isFinalRun(row.state)) return;
      }
    },

    async cancelRun({ id, reason }, context) {
      return { state: runStates[await cancelRun(deps, callerOf(context), id, reason)] };
    },

    async resumeRun({ id, fromStep }, context) {
      return { reset: await resumeRun(deps, callerOf(context), id, fromStep) };
    },

    async sendEvent({ runId, name, data }, context) {
      const value = data === undefined ? null : toJson(ValueSchema, data);
      await sendEvent(deps, callerOf(context), runId, { name, data: value });
      return {};
    },

    async decideApproval({ runId, step, approve, approver, comment }, context) {
      await decideApproval(deps, callerOf(context), runId, { step, isApproved: approve, approver, comment });
      return {};
    },
  };
}

function stateName(state: RunStateNumber): RunState {
  const found = Object.entries(runStates).find(([, number]) => number === state)?.[0];
  if (found === undefined) throw new DroverError("invalid", `Expected a state of a run, got ${state}.`);
  return found as RunState;
}
