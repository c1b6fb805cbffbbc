import { create } from "@bufbuild/protobuf";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import type { Wakeups } from "@drover/db/listen";
import { listEngineNodes } from "@drover/db/query/node-request";
import { listServices } from "@drover/db/query/service";
import { DroverError } from "@drover/domain/error";
import {
  type EnvManagerService,
  LogEntrySchema,
  ServiceStatusUpdateSchema,
} from "@drover/proto/env_manager/env_manager";
import type { Caller, Deps } from "../../operation/context.ts";
import type { DefinitionCache } from "../../operation/definition-cache.ts";
import { createSubmitCompatTask } from "../../operation/submit-compat-task.ts";
import type { SubmitTask } from "../../operation/submit-task.ts";
import { effectiveDeclaration } from "../../operation/wanted-services.ts";
import { callerOf } from "../../rpc/caller.ts";
import { chooseNodes, pullOn } from "../../rpc/image.ts";
import { serviceLogs } from "../../rpc/service-log.ts";
import type { TaskWatch } from "../../watch/task.ts";
import { createKnownEnvironment, requireService } from "./environment.ts";
import { executeTask } from "./execute.ts";
import { streamHealth } from "./health.ts";
import { mergePulls } from "./pull.ts";
import { resourceAvailability } from "./resource.ts";
import { createStatusReader } from "./services.ts";
import { start } from "./start.ts";
import { restart, stop } from "./stop.ts";

export interface EnvManagerOptions {
  deps: Deps;
  submitTask: SubmitTask;
  watch: TaskWatch;
  definitions: DefinitionCache;
  wakeups: Wakeups;
  /** Of which these clients speak without naming it. */
  envManagerEnvironment?: string;
  /** So long a service has to be down until its start counts as failed. */
  failedMs?: number;
}

/** env_manager.v1.EnvManagerService. */
export function envManagerService(options: EnvManagerOptions): ServiceImpl<typeof EnvManagerService> {
  const { deps, watch, wakeups, envManagerEnvironment = "lightweight" } = options;
  const environment = createKnownEnvironment(deps, envManagerEnvironment);
  const patience = { ...(options.failedMs !== undefined && { failedMs: options.failedMs }) };
  const asking = { db: deps.db, wakeups };
  const submit = createSubmitCompatTask(options);
  const readStatuses = createStatusReader({ deps, wakeups, environment });

  const requiredImages = async (caller: Caller): Promise<string[]> => {
    const row = await environment.find(caller);
    const declaration =
      row === undefined
        ? await environment.declaration(caller)
        : effectiveDeclaration(row, await listServices(deps.db, [row.id]));
    return declaration.services.filter(({ isRequired }) => isRequired).map(({ image }) => image);
  };

  return {
    async *startServices({ serviceNames, parallel, overrides }, context) {
      const { signal } = context;
      const asked = { names: serviceNames, isParallel: parallel, overrides, ...patience };
      const updates = start({ deps, wakeups, environment, caller: callerOf(context), ...asked, signal });
      for await (const update of updates) yield create(ServiceStatusUpdateSchema, update);
    },

    stopServices({ serviceNames: names, timeoutSeconds }, context) {
      const { signal } = context;
      return stop({ deps, wakeups, environment, caller: callerOf(context), names, timeoutSeconds, signal });
    },

    restartService({ serviceName: name, timeoutSeconds }, context) {
      const { signal } = context;
      const about = { deps, wakeups, environment, caller: callerOf(context) };
      return restart({ ...about, name, timeoutSeconds, signal, ...patience });
    },

    async getServicesStatus({ serviceNames }, context) {
      const statuses = await readStatuses(callerOf(context), serviceNames, context.signal);
      return { services: Object.fromEntries(statuses.map((status) => [status.name, status])) };
    },

    async getServiceStatus({ serviceName }, context) {
      const caller = callerOf(context);
      if (serviceName.trim() === "") throw new DroverError("invalid", "service_name is required");
      const { name } = requireService(await environment.declaration(caller), serviceName);
      const [status] = await readStatuses(caller, [name], context.signal);
      if (status === undefined) throw new DroverError("not_found", `service ${serviceName} not found`);
      return status;
    },

    streamHealth({ serviceNames: names, intervalSeconds }, context) {
      const { signal } = context;
      return streamHealth({ deps, wakeups, environment, caller: callerOf(context), names, intervalSeconds, signal });
    },

    getResourceAvailability({ workloadClass }, context) {
      return resourceAvailability(deps, callerOf(context), workloadClass);
    },

    executeTask(request, context) {
      return executeTask({ deps, submit, watch, caller: callerOf(context), signal: context.signal }, request);
    },

    async *pullImages({ imageNames }, context) {
      const caller = callerOf(context);
      const images = imageNames.length > 0 ? imageNames : await requiredImages(caller);
      await deps.directory.namespaceId(caller.namespace);
      const nodes = chooseNodes(await listEngineNodes(deps.db), []);
      yield* mergePulls(pullOn(asking, nodes, images, context.signal), nodes.length);
    },

    async *streamLogs({ serviceName, follow, tail, sinceTimestamp }, context) {
      const caller = callerOf(context);
      if (serviceName.trim() === "") throw new DroverError("invalid", "service_name is required");
      const service = requireService(await environment.declaration(caller), serviceName).name;
      if ((await environment.find(caller)) === undefined)
        throw new DroverError("not_found", `service ${serviceName} has no container: it was never started`);
      const since =
        sinceTimestamp > 0n ? timestampFromMs(Math.min(Number(sinceTimestamp), lastSecond) * 1000) : undefined;
      const request = {
        environment: environment.name,
        service,
        follow,
        tail: Math.max(0, tail),
        ...(since && { since }),
      };
      const namespaceId = await deps.directory.namespaceId(caller.namespace);
      for await (const line of serviceLogs(asking, request, { namespaceId, signal: context.signal })) {
        const { containerId, stream, message, at } = line;
        const timestamp = at === undefined ? 0n : BigInt(Math.floor(timestampMs(at) / 1000));
        yield create(LogEntrySchema, { serviceName: service, containerId, stream, message, timestamp });
      }
    },
  };
}

/** Of the year 9999, where timestamps end. */
const lastSecond = 253_402_300_799;
