import { setTimeout as pause } from "node:timers/promises";
import type { Deps } from "../../../apps/api/src/operation/context.ts";
import { startRun } from "../../../apps/api/src/operation/start-run.ts";
import { saveVersion } from "../../../db/query/workflow.ts";
import type { Json } from "../../../packages/domain/src/json.ts";
import type { Definition, Step } from "../../../packages/domain/src/workflow/definition.ts";
import type { Handler } from "../../../packages/worker/src/worker.ts";
import type { Job, RunStarter } from "../contestant.ts";
import { nowMs } from "../measure.ts";

/** Jobs, steps of runs, and steps that take a while. */
export const taskTypes = ["noop", "step", "spaced"];

/** Starts runs by the operation of the API, in this process; the API advances them. */
export function createRunStarter(deps: Deps): RunStarter {
  const start = async (definition: Definition, runs: number, input: Json) => {
    const namespaceId = await deps.directory.namespaceId("default");
    const { name } = definition;
    await deps.db.transaction((tx) =>
      saveVersion(tx, { namespaceId, name, format: "drover", source: "", definition, actor: "bench" }),
    );
    for (let started = 0; started < runs; started += 100) {
      await deps.db.transaction(async (tx) => {
        for (let run = started; run < Math.min(runs, started + 100); run++)
          await startRun(deps, tx, { namespace: "default", actor: "bench" }, { workflow: name, input });
      });
    }
    deps.waker.wake("advance");
  };
  return {
    startChains: (runs, steps) => start(chain("chain", "step", steps), runs, {}),
    startSpacedChain: (steps, stepMs) => start(chain("spaced", "spaced", steps), 1, { stepMs }),
    startFanout(items) {
      const map: Step = {
        id: "map",
        work: { kind: "task", type: "step", payload: "${item}" },
        each: { items: "${input.items}" },
      };
      const sum: Step = {
        id: "join",
        work: { kind: "value", output: "${steps.map.output}" },
        needs: [{ from: "map" }],
      };
      const input = { items: Array.from({ length: items }, (_, item) => item) };
      return start({ name: "fanout", steps: [map, sum] }, 1, input);
    },
  };
}

/** What the worker does: it tells of every job, and of every step that begins. */
export function createHandlers(onJob: (job: Job) => void): Record<string, Handler> {
  let endedAt = 0;
  return {
    noop: (payload) => onJob(payload as unknown as Job),
    step(payload) {
      onJob({ index: 0, sentAt: 0 });
      return payload;
    },
    async spaced(payload) {
      onJob({ index: 0, sentAt: endedAt });
      await pause((payload as { stepMs: number }).stepMs);
      endedAt = nowMs();
    },
  };
}

function chain(name: string, type: string, steps: number): Definition {
  return {
    name,
    steps: Array.from({ length: steps }, (_, number) => ({
      id: `s${number}`,
      work: { kind: "task", type, payload: "${input}" },
      ...(number > 0 && { needs: [{ from: `s${number - 1}` }] }),
    })),
  };
}
