import { connect } from "node:net";
import type Docker from "dockerode";
import { replicaSpec } from "@drover/domain/environment/spec";
import { createServiceEngine, type ServiceEngine } from "../../apps/agent/src/docker/service-engine.ts";
import { planContainer } from "../../apps/agent/src/environment/container.ts";
import { probe } from "../../apps/agent/src/environment/probe/probe.ts";
import { nowMs } from "./measure.ts";
import type { RedisEnvironment } from "./redis-environment.ts";

/** The containers of an environment, made by calls of the engine alone. */
export interface MadeByHand extends AsyncDisposable {
  /** From the first call until every Redis answered. */
  ms: number;
  /** Kills one and starts it again as soon as the engine says that it ended. */
  killAndStart(index: number): Promise<void>;
}

/**
 * What Docker itself takes: the network, then containers with the very options of the agent's, each once what it depends
 * on answers a PING at its port.
 */
export function createByHand({ docker }: { docker: Docker }): {
  make(wanted: RedisEnvironment): Promise<MadeByHand>;
} {
  const engine = createServiceEngine({ docker });
  return {
    async make({ name, declaration, folder, sockets }) {
      const plans = await Promise.all(
        declaration.services.map(async (service, index) => {
          const spec = replicaSpec(declaration, service);
          const names = { namespace: "default", environment: `${name}-by-hand`, service: service.name, number: 1 };
          const state = { id: "0", generation: 1, specHash: "", wanted: "running" as const, round: 0 };
          const plan = await planContainer(
            { ...names, ...state, spec, gpus: null, unmet: null },
            { holder: "nobody", allowedHostPaths: [folder], taskBase: "/nonexistent" },
          );
          if (!plan.ok) throw new Error(plan.message);
          return { service, plan, socket: sockets[index] ?? "" };
        }),
      );
      const start = nowMs();
      const network = await docker.createNetwork({ Name: `${name}-by-hand_default` });
      const begun = new Map<string, Promise<Docker.Container>>();
      const begin = async ({ service, plan, socket }: (typeof plans)[number]) => {
        const needed = await Promise.all(service.dependsOn.map(async (other) => begun.get(other)));
        await Promise.all(needed.map(async (container) => container && untilHealthy(engine, container)));
        const container = await docker.createContainer({ ...plan.options, name: plan.name });
        await container.start();
        await answersAnew(socket);
        return container;
      };
      for (const one of plans) begun.set(one.service.name, begin(one));
      const containers = await Promise.all(begun.values());
      const ms = nowMs() - start;
      return {
        ms,
        async killAndStart(index) {
          const container = containers[index];
          const ended = container?.wait({ condition: "next-exit" });
          await container?.kill();
          await ended;
          await container?.start();
        },
        async [Symbol.asyncDispose]() {
          await Promise.all(containers.map((container) => container.remove({ force: true })));
          await network.remove();
        },
      };
    },
  };
}

async function untilHealthy(engine: ServiceEngine, container: Docker.Container): Promise<void> {
  const target = { containerId: container.id, inspection: await container.inspect() };
  const ask = () => probe(engine, target, { kind: "redis", port: 6379 }, 1000);
  while (!(await ask()).isHealthy) await new Promise((resolve) => setTimeout(resolve, 10));
}

/**
 * Waits until a Redis answers on a socket that is another process than before; answers with its id. It is asked every
 * 2 ms. Not by its port: asking for an address that is not there yet has the kernel wait a second before it tries again.
 */
export async function answersAnew(path: string, before = ""): Promise<string> {
  for (const end = nowMs() + 60_000; nowMs() < end;) {
    const id = await runId(path);
    if (id !== undefined && id !== before) return id;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  throw new Error(`expected a Redis that answers at ${path}, got none within 60 s`);
}

function runId(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path);
    let text = "";
    const end = (id?: string) => {
      socket.destroy();
      resolve(id);
    };
    socket.on("error", () => end());
    socket.on("close", () => end());
    socket.on("connect", () => socket.write("INFO server\r\n"));
    socket.on("data", (bytes) => {
      text += bytes.toString("latin1");
      const id = /run_id:(\w+)/.exec(text)?.[1];
      if (id !== undefined) end(id);
    });
  });
}
