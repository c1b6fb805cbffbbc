import { equals } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import type { Wakeups } from "@drover/db/listen";
import { findEnvironment as findRow, listEnvironments, listGenerations } from "@drover/db/query/environment";
import { listReplicas } from "@drover/db/query/replica";
import { type Environment, EnvironmentSchema, type EnvironmentService } from "@drover/proto/drover/environment";
import { applyEnvironment } from "../operation/apply-environment.ts";
import type { Caller, Deps } from "../operation/context.ts";
import { deleteEnvironment } from "../operation/delete-environment.ts";
import { findEnvironment } from "../operation/find-environment.ts";
import { planEnvironment } from "../operation/plan-environment.ts";
import { restartServices } from "../operation/restart-services.ts";
import { rollbackEnvironment } from "../operation/rollback-environment.ts";
import { startServices } from "../operation/start-services.ts";
import { stopServices } from "../operation/stop-services.ts";
import { seeEnvironments } from "../operation/view-environment.ts";
import { watchEnvironment } from "../watch/environment.ts";
import { callerOf } from "./caller.ts";
import { environmentMessage, faultMessage, generationMessage } from "./environment-message.ts";

export interface EnvironmentServiceOptions {
  deps: Deps;
  wakeups: Wakeups;
}

/** What asks nodes at once is in service.ts. */
type Asked = "streamServiceLogs" | "streamServiceHealth" | "getServiceUsage";

/** drover.v1.EnvironmentService. */
export function environmentService({
  deps,
  wakeups,
}: EnvironmentServiceOptions): Omit<ServiceImpl<typeof EnvironmentService>, Asked> {
  const { db, directory } = deps;
  const read = async (caller: Caller, name: string) => {
    const seen = await seeEnvironments(db, [await findEnvironment(deps, caller, name)], { isExplained: true });
    return seen.map((one) => environmentMessage(one))[0];
  };
  const answer = (environment: Environment | undefined) => (environment === undefined ? {} : { environment });

  return {
    async planEnvironment({ source }, context) {
      const plan = await planEnvironment(deps, callerOf(context), source);
      if ("faults" in plan) return { faults: plan.faults.map(faultMessage) };
      return { ...plan, warnings: plan.warnings.map(faultMessage) };
    },

    async applyEnvironment({ source, expectedGeneration }, context) {
      const caller = callerOf(context);
      const draft = { source, ...(expectedGeneration > 0 && { expectedGeneration }) };
      const { name, created, steps, warnings } = await applyEnvironment(deps, caller, draft);
      return { ...answer(await read(caller, name)), created, steps, warnings: warnings.map(faultMessage) };
    },

    async getEnvironment({ name }, context) {
      return answer(await read(callerOf(context), name));
    },

    async listEnvironments(_, context) {
      const rows = await listEnvironments(db, await directory.namespaceId(callerOf(context).namespace));
      const seen = await seeEnvironments(db, rows);
      return { environments: seen.map((one) => environmentMessage(one, { isWhole: false })) };
    },

    async listGenerations({ name }, context) {
      const { id } = await findEnvironment(deps, callerOf(context), name);
      return { generations: (await listGenerations(db, id)).map(generationMessage) };
    },

    async rollbackEnvironment({ name, generation }, context) {
      const caller = callerOf(context);
      const { steps } = await rollbackEnvironment(deps, caller, name, generation === 0 ? undefined : generation);
      return { ...answer(await read(caller, name)), steps };
    },

    async deleteEnvironment({ name }, context) {
      await deleteEnvironment(deps, callerOf(context), name);
      return {};
    },

    async *watchEnvironment({ name }, context) {
      const { id, namespace_id: namespaceId } = await findEnvironment(deps, callerOf(context), name);
      let last: Environment | undefined;
      for await (const _ of watchEnvironment({ wakeups, environmentId: id, signal: context.signal })) {
        const row = await findRow(db, namespaceId, name);
        // Another one of this name is another one.
        if (row?.id !== id) return;
        const [seen] = await seeEnvironments(db, [row], { isExplained: true });
        const environment = seen && environmentMessage(seen);
        if (environment === undefined || (last !== undefined && equals(EnvironmentSchema, environment, last))) continue;
        last = environment;
        yield { environment };
      }
    },

    async getDrift({ name }, context) {
      const { id } = await findEnvironment(deps, callerOf(context), name);
      const drifts = (await listReplicas(db, [id])).flatMap(({ service, number, node, drift }) =>
        (drift ?? []).map((found) => ({ ...found, service, replica: number, node: node ?? "" })),
      );
      return { drifts };
    },

    async startServices({ environment, services }, context) {
      return { services: await startServices(deps, callerOf(context), environment, services) };
    },

    async stopServices({ environment, services }, context) {
      return stopServices(deps, callerOf(context), environment, services);
    },

    async restartServices({ environment, services }, context) {
      return { services: await restartServices(deps, callerOf(context), environment, services) };
    },
  };
}
