import { setTimeout as pause } from "node:timers/promises";
import { type Client as RpcClient, Code, ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import { DroverError } from "@drover/domain/error";
import { BudgetService } from "@drover/proto/drover/budget";
import { ClassService } from "@drover/proto/drover/class";
import { EnvironmentService } from "@drover/proto/drover/environment";
import { LimitService } from "@drover/proto/drover/limit";
import { NamespaceService } from "@drover/proto/drover/namespace";
import { NodeService } from "@drover/proto/drover/node";
import { RunService } from "@drover/proto/drover/run";
import { ScheduleService } from "@drover/proto/drover/schedule";
import { TaskService } from "@drover/proto/drover/task";
import { WorkflowService } from "@drover/proto/drover/workflow";
import type { World } from "./world.ts";

/** The services of the API, and where it is. */
export interface Client {
  readonly address: string;
  readonly namespace: string;
  tasks: RpcClient<typeof TaskService>;
  workflows: RpcClient<typeof WorkflowService>;
  runs: RpcClient<typeof RunService>;
  classes: RpcClient<typeof ClassService>;
  namespaces: RpcClient<typeof NamespaceService>;
  nodes: RpcClient<typeof NodeService>;
  schedules: RpcClient<typeof ScheduleService>;
  limits: RpcClient<typeof LimitService>;
  budgets: RpcClient<typeof BudgetService>;
  environments: RpcClient<typeof EnvironmentService>;
}

export interface ClientOptions {
  connect: World["connect"];
  address: string;
  namespace: string;
  /** For a call that names no time-out of its own; streams name 0. */
  timeoutMs?: number;
}

const retryWaitsMs = [100, 300, 600];

/** Makes the clients; nothing is connected before the first call. */
export function createApiClient({ connect, address, namespace, timeoutMs = 30_000 }: ClientOptions): Client {
  const transport = connect({ address, interceptors: [nameNamespace(namespace), retryReads], timeoutMs });
  return {
    address,
    namespace,
    tasks: createClient(TaskService, transport),
    workflows: createClient(WorkflowService, transport),
    runs: createClient(RunService, transport),
    classes: createClient(ClassService, transport),
    namespaces: createClient(NamespaceService, transport),
    nodes: createClient(NodeService, transport),
    schedules: createClient(ScheduleService, transport),
    limits: createClient(LimitService, transport),
    budgets: createClient(BudgetService, transport),
    environments: createClient(EnvironmentService, transport),
  };
}

/** Reads an address the way people type it: the scheme may be left out. */
export function parseAddress(text: string): string {
  const full = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  if (!/^https?:/i.test(full) || !URL.canParse(full)) {
    throw new DroverError("invalid", `Expected an address such as http://127.0.0.1:9097, got "${text}".`, {
      hint: "--address http://127.0.0.1:9097, or set DROVER_ADDRESS",
    });
  }
  return full.replace(/\/+$/, "");
}

/** Whether a call failed only because the API was away for a moment. Our library says aborted of a connection that was cut. */
export function isAway(error: unknown): boolean {
  return error instanceof ConnectError && (error.code === Code.Unavailable || error.code === Code.Aborted);
}

function nameNamespace(namespace: string): Interceptor {
  return (next) => (request) => {
    request.header.set("drover-namespace", namespace);
    return next(request);
  };
}

/** Repeats a read whose answer did not come; a write is repeated by who made it, who knows whether that is safe. */
const retryReads: Interceptor = (next) => async (request) => {
  if (request.stream || !/^(Get|List|Plan)/.test(request.method.name)) return next(request);
  for (const waitMs of retryWaitsMs) {
    try {
      return await next(request);
    } catch (error) {
      if (!isAway(error) || request.signal.aborted) throw error;
      await pause(waitMs * (1 - Math.random() / 2), undefined, { signal: request.signal });
    }
  }
  return next(request);
};
