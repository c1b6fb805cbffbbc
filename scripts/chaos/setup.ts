import { createClient } from "@connectrpc/connect";
import { createTestDatabase } from "@drover/db/testing";
import { TaskService } from "@drover/proto/drover/task";
import Docker from "dockerode";
import { writeNodeLogin } from "../../apps/api/src/node-login.ts";
import { findTestEngine } from "../../apps/agent/src/docker/testing.ts";
import { createGates } from "./gate.ts";
import { openLedger } from "./ledger.ts";
import type { ApiOptions, World } from "./world.ts";

export const engine = await findTestEngine();

/** A world with a database of its own, an API on it, a ledger and gates. */
export async function setup(world: World, options: ApiOptions = {}) {
  const database = await createTestDatabase();
  world.defer(database.drop);
  const api = await world.api({ databaseUrl: database.url, ...options });
  const ledger = openLedger(database.url);
  world.defer(() => ledger[Symbol.asyncDispose]());
  const tasks = createClient(TaskService, api.transport());
  return { databaseUrl: database.url, api, ledger, tasks, gates: createGates(world.folder) };
}

/** A node's own login, under a name that no other test uses on the shared engine. */
export async function makeNode(
  world: World,
  databaseUrl: string,
  what: string,
): Promise<{ node: string; databaseUrl: string }> {
  const node = world.name(what);
  return { node, databaseUrl: await writeNodeLogin({ url: databaseUrl, name: node }) };
}

/** Follows the containers of a node by the engine's own events and clock. */
export async function watchContainers(world: World, host: string, node: string) {
  const docker = new Docker({ socketPath: host.replace("unix://", "") });
  const events: { action: string; task: string; fence: string; atMs: number }[] = [];
  const stream = await docker.getEvents({
    filters: { label: [`drover.holder=${node}`], event: ["start", "die", "destroy"] },
  });
  stream.on("data", (bytes: Buffer) => {
    for (const line of bytes.toString().split("\n").filter(Boolean)) {
      const event = JSON.parse(line) as {
        Action: string;
        timeNano: number;
        Actor: { Attributes: Record<string, string> };
      };
      const { "drover.task_id": task = "", "drover.fence": fence = "" } = event.Actor.Attributes;
      events.push({ action: event.Action, task, fence, atMs: event.timeNano / 1e6 });
    }
  });
  stream.on("error", () => undefined);
  world.defer(() => void (stream as unknown as { destroy(): void }).destroy());
  world.defer(async () => {
    const left = await docker.listContainers({ all: true, filters: { label: [`drover.holder=${node}`] } });
    await Promise.all(
      left.map(({ Id }) =>
        docker
          .getContainer(Id)
          .remove({ force: true })
          .catch(() => undefined),
      ),
    );
  });
  return {
    events,
    running: async () => (await docker.listContainers({ filters: { label: [`drover.holder=${node}`] } })).length,
    all: async () => (await docker.listContainers({ all: true, filters: { label: [`drover.holder=${node}`] } })).length,
  };
}
