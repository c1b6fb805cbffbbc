import { type ConnectRouter, createClient, createRouterTransport } from "@connectrpc/connect";
import { createLog } from "@drover/daemon/log";
import type { NodeReply, NodeRequest, ReplicaReport, WantedReplica } from "@drover/db/node/replica";
import { EnvironmentService } from "@drover/proto/drover/environment";
import { EnvManagerService } from "@drover/proto/env_manager/env_manager";
import { createEnvironmentLoop } from "../../loop/environment.ts";
import { createPlaceLoop } from "../../loop/place.ts";
import { listen } from "../../listen.ts";
import { createDefinitionCache } from "../../operation/definition-cache.ts";
import { createSubmitTask } from "../../operation/submit-task.ts";
import { createInterceptors } from "../../rpc/interceptors.ts";
import { registerReflection } from "../../rpc/reflection.ts";
import { createValidation } from "../../rpc/validate.ts";
import { startTestNode, type TestNodeOptions } from "../../testing-node.ts";
import { createTestApi } from "../../testing.ts";
import { createTaskWatch } from "../../watch/task.ts";
import { envManagerService } from "./rpc.ts";

type Said = Omit<ReplicaReport, "replicaId"> | undefined;

/** The env-manager's interface over a database of its own, and a node on which services do what a test says. */
export async function createEnvManagerBench({ onTask }: Pick<TestNodeOptions, "onTask"> = {}) {
  const api = await createTestApi();
  const log = createLog({ app: "test", level: "silent" });
  const { deps, wakeups } = api;
  const loops = [
    createEnvironmentLoop({ deps, log, wakeups }),
    createPlaceLoop({ deps, log, wakeups, isListening: true }),
  ];
  for (const loop of loops) await loop.start();
  const services = [EnvManagerService];
  const draining = new AbortController();
  const validation = createValidation(services);
  const interceptors = createInterceptors({ onCall: () => {}, draining: draining.signal, validation });
  const routes = (router: ConnectRouter) => {
    const watch = createTaskWatch({ db: api.db, intervalMs: 30 });
    const submitTask = createSubmitTask(deps);
    const options = { deps, submitTask, watch, definitions: createDefinitionCache(), wakeups, failedMs: 400 };
    router.service(EnvManagerService, envManagerService(options));
    registerReflection(router, services);
  };
  const transport = createRouterTransport(routes, { router: { interceptors } });
  const stops: (() => Promise<unknown>)[] = [];
  const behaviour = new Map<string, (replica: WantedReplica) => Said>();
  const answers: { request?: (request: NodeRequest) => NodeReply[] } = {};
  const node = await startTestNode({
    db: api.db,
    facts: { cpu_cores: "64", memory_bytes: String(256 * 2 ** 30) },
    slots: { cpu_short: 4, gpu: 1 },
    onReplica: (replica) => {
      if (replica.wanted === "stopped") return { state: "stopped" };
      return (behaviour.get(replica.service) ?? runs)(replica);
    },
    onRequest: (request) => answers.request?.(request) ?? (request.kind === "usage" ? [{ usage: [] }] : []),
    ...(onTask && { onTask }),
  });
  return {
    api,
    node,
    client: createClient(EnvManagerService, transport),
    environments: createClient(EnvironmentService, api.transport),
    /** What a service does from now on when it is to run; nothing: it runs. */
    behave(service: string, act?: (replica: WantedReplica) => Said) {
      if (act === undefined) behaviour.delete(service);
      else behaviour.set(service, act);
    },
    /** What the node answers to what it is asked. */
    answer(act: (request: NodeRequest) => NodeReply[]) {
      answers.request = act;
    },
    /** The replica of a service, as the node is to keep it. */
    wanted: (service: string) => node.replicas().find((replica) => replica.service === service),
    /** Serves it on a free port, for clients in other languages; answers the address. */
    async serve(): Promise<string> {
      const { fetch } = api.app;
      const listener = await listen({ addresses: ["127.0.0.1:0"], routes, rpc: { interceptors }, fetch, draining });
      stops.push(() => listener.stop(1000));
      return `127.0.0.1:${listener.addresses[0]?.port}`;
    },
    async close() {
      for (const stop of stops) await stop();
      await node.stop();
      for (const loop of loops.toReversed()) await loop.stop(AbortSignal.timeout(1000));
      await api.close();
    },
  };
}

export type EnvManagerBench = Awaited<ReturnType<typeof createEnvManagerBench>>;

/** A container that came up at once. */
export function runs({ service, id, spec }: WantedReplica): Said {
  return {
    state: "running",
    isHealthy: true,
    message: "",
    containerId: `container-${service}-${id}`,
    startedAt: "2026-01-02T03:04:05Z",
    progress: 100,
    ports: spec.service.ports.map(({ containerPort, hostPort = 0, hostIp, protocol }) => ({
      containerPort,
      hostPort,
      hostIp,
      protocol,
    })),
  };
}
