import { connect } from "node:net";
import type Docker from "dockerode";
import { replicaSpec } from "@drover/domain/environment/spec";
import { planContainer } from "../../apps/agent/src/environment/container.ts";
import { nowMs } from "./measure.ts";
import type { RedisEnvironment } from "./redis-environment.ts";

/** The containers of an environment, made by calls of the engine alone. */
export interface MadeByHand extends AsyncDisposable {
  /** From the first call until every Redis answered. */
  ms: number;
  /** Kills one and starts it again as soon as the engine says that it ended. */
  killAndStart(index: number): Promise<void>;
}

/** What Docker itself takes: the network, then containers with the very options of the agent's, in order of their dependencies. */
export function createByHand({ docker }: { docker: Docker }): {
  make(wanted: RedisEnvironment): Promise<MadeByHand>;
} {
  return {
    async make({ name, declaration, ports }) {
      const plans = await Promise.all(
        declaration.services.map(async (service) => {
          const spec = replicaSpec(declaration, service);
          const names = { namespace: "default", environment: `${name}-by-hand`, service: service.name, number: 1 };
          const state = { id: "0", generation: 1, specHash: "", wanted: "running" as const, round: 0 };
          const plan = await planContainer(
            { ...names, ...state, spec, gpus: null, unmet: null },
            { holder: "nobody", allowedHostPaths: [], taskBase: "/nonexistent" },
          );
          if (!plan.ok) throw new Error(plan.message);
          return { service, plan };
        }),
      );
      const start = nowMs();
      const network = await docker.createNetwork({ Name: `${name}-by-hand_default` });
      const begun = new Map<string, Promise<Docker.Container>>();
      const begin = async ({ service, plan }: (typeof plans)[number]) => {
        await Promise.all(service.dependsOn.map(async (needed) => begun.get(needed)));
        const container = await docker.createContainer({ ...plan.options, name: plan.name });
        await container.start();
        await answersAnew(service.ports[0]?.hostPort ?? 0);
        return container;
      };
      for (const one of plans) begun.set(one.service.name, begin(one));
      const containers = await Promise.all(begun.values());
      const ms = nowMs() - start;
      if (containers.length !== ports.length) throw new Error("expected a container for each port");
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

/** Waits until a Redis answers that is another process than before; answers with its id. */
export async function answersAnew(port: number, before = ""): Promise<string> {
  for (const end = nowMs() + 60_000; nowMs() < end;) {
    const id = await runId(port);
    if (id !== undefined && id !== before) return id;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  throw new Error(`expected a Redis that answers on port ${port}, got none within 60 s`);
}

function runId(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    let text = "";
    const end = (id?: string) => {
      socket.destroy();
      resolve(id);
    };
    socket.setTimeout(1000, () => end());
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
