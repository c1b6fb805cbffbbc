import { createClient } from "@connectrpc/connect";
import { createTestDatabase } from "@drover/db/testing";
import { NodeState } from "@drover/proto/drover/node";
import { Executor, TaskService } from "@drover/proto/drover/task";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { writeNodeLogin } from "../../apps/api/src/node-login.ts";
import { testImage } from "../../apps/agent/src/docker/testing.ts";
import { environmentClients, isReady, watchNode } from "./environment.ts";
import { openLedger } from "./ledger.ts";
import { engine } from "./setup.ts";
import { createWorld, type World } from "./world.ts";

const agentProgram = resolve(import.meta.dirname, "../../apps/agent/src/main.ts");

/** A control plane with a database of its own, and an agent under a name that the other one's has, too. */
async function install(world: World, what: string, node: string) {
  const database = await createTestDatabase();
  world.defer(database.drop);
  const ledger = openLedger(database.url);
  world.defer(() => ledger[Symbol.asyncDispose]());
  // Test databases are copies of one.
  const [row] = await ledger.sql<{ id: string }[]>`update drover.installation set id = gen_random_uuid() returning id`;
  const api = await world.api({ databaseUrl: database.url, env: { DROVER_LEASE_SECONDS: "15s" } });
  const nodeUrl = await writeNodeLogin({ url: database.url, name: node });
  // Nobody tells the agent its name: it is the one of its login.
  const start = () =>
    world.spawn({
      name: `agent of ${what}`,
      command: "node",
      args: ["--disable-warning=ExperimentalWarning", agentProgram],
      env: {
        DROVER_AGENT_DATABASE_URL: nodeUrl,
        DROVER_AGENT_LISTEN: "127.0.0.1:0",
        DROVER_AGENT_TASK_DIR: join(world.folder, what),
        DROVER_AGENT_GRACE_SECONDS: "0s",
        DROVER_AGENT_SWEEP_GRACE_SECONDS: "0s",
        DROVER_AGENT_RECONCILE_SECONDS: "0.5s",
      },
    });
  const tasks = createClient(TaskService, api.transport());
  return { id: row?.id ?? "", start, tasks, ...environmentClients(api) };
}

const sleeper = (name: string) => `
drover: environment/v1
name: ${name}
services:
  sleeper:
    image: ${testImage}
    command: [sh, -c, "trap 'exit 0' TERM; sleep 100000 & wait $!"]
    replicas: 2
    stopGrace: 1s
`;

describe.skipIf(engine.missing !== undefined)(`two control planes with one engine ${engine.missing ?? ""}`, () => {
  it("touch nothing of each other's, though the nodes of both have one name", async () => {
    await using world = createWorld();
    const node = world.name("local");
    const { docker, leftovers } = watchNode(world, engine.host, node);
    const [one, two] = [await install(world, "one", node), await install(world, "two", node)];
    expect(one.id).not.toBe(two.id);
    const [ours, theirs] = [world.name("ours"), world.name("theirs")];
    const filters = { label: [`drover.installation=${one.id}`] };
    /** Everything of the first one on the engine: which it is, and since when it runs. */
    const lives = async () => {
      const containers = await docker.listContainers({ all: true, filters });
      const seen = containers.map(async ({ Id }) => {
        const { State: state } = await docker.getContainer(Id).inspect();
        return `${Id} ${state.Status} ${state.StartedAt}`;
      });
      const networks = await docker.listNetworks({ filters });
      return [...(await Promise.all(seen)), ...networks.map(({ Name, Id }) => `${Name} ${Id}`)].toSorted();
    };

    const first = one.start();
    await first.says("registered");
    await one.apply(sleeper(ours));
    await one.until(ours, isReady(1));
    await one.tasks.submitTask({
      task: {
        class: "cpu_long",
        execution: { executor: Executor.DOCKER, image: testImage, command: ["sleep", "1000"] },
      },
    });
    await expect.poll(async () => (await lives()).filter((life) => life.includes(" running "))).toHaveLength(3);
    const before = await lives();

    // The second one comes, works, is killed, comes back, and leaves: each time it looks at all containers anew.
    const second = two.start();
    await second.says("registered");
    await two.apply(sleeper(theirs));
    await two.until(theirs, isReady(1));
    await second.end("SIGKILL");
    const again = two.start();
    await again.says("registered");
    await two.until(theirs, isReady(1));
    await two.environments.deleteEnvironment({ name: theirs });
    await expect
      .poll(async () => (await two.environments.listEnvironments({})).environments, { timeout: 20_000 })
      .toEqual([]);
    await expect.poll(async () => (await leftovers()).filter((name) => name.includes(theirs))).toEqual([]);
    expect(await lives()).toEqual(before);

    // And so it is the other way round, while the first one begins anew.
    await first.end("SIGKILL");
    const third = one.start();
    await third.says("registered");
    await one.until(ours, isReady(1));
    expect((await one.nodes.listNodes({})).nodes).toMatchObject([{ name: node, state: NodeState.READY }]);
    const acted = [first, second, again, third]
      .flatMap(({ lines }) => lines)
      .filter(({ fields }) => fields["message"] === "nobody asks for it");
    expect(acted).toEqual([]);
    expect(await lives()).toEqual(before);
  }, 90_000);
});
