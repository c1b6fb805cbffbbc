import { ReplicaState } from "@drover/proto/drover/environment";
import { describe, expect, it } from "vitest";
import { ensureRedisImage, redisImage, whyNoRedis } from "../../apps/agent/src/environment/testing-redis.ts";
import { testImage } from "../../apps/agent/src/docker/testing.ts";
import { isReady, replicaOf, setupEnvironments, watchNode } from "./environment.ts";
import { engine, makeNode } from "./setup.ts";
import { createWorld, type World } from "./world.ts";

const missing = engine.missing ?? whyNoRedis();

/** A Redis with a volume, and a client that is well only while it gets what it wrote there. */
function shop(world: World, { greeting = "hello" } = {}): { name: string; source: string } {
  const name = world.name("shop");
  const source = `
drover: environment/v1
name: ${name}
volumes: { data: }
services:
  redis:
    image: ${redisImage}
    command: /usr/bin/redis-server --dir /data --protected-mode no --save ""
    mounts: ["data:/data"]
    health: { redis: 6379, interval: 0.5s }
    stopGrace: 1s
    update: { healthy: 0s }
  page:
    image: ${testImage}
    dependsOn: redis
    command: [sh, -c, "trap 'exit 0' TERM; echo $GREETING > /tmp/up; sleep 1000 & wait $!"]
    env: { GREETING: ${greeting} }
    health: { command: [sh, -c, 'printf "PING\\r\\n" | nc -w 1 redis 6379 | grep -q PONG'], interval: 0.5s }
    stopGrace: 1s
    update: { healthy: 0s }
`;
  return { name, source };
}

describe.skipIf(missing !== undefined)(`an environment on a real engine ${missing ?? ""}`, () => {
  it("comes to run and stays so, whatever is done to its containers, through all of its life", async () => {
    if (engine.missing !== undefined) throw new Error(engine.missing);
    await ensureRedisImage(engine.docker);
    await using world = createWorld();
    const { databaseUrl, environments, apply, until } = await setupEnvironments(world);
    const login = await makeNode(world, databaseUrl, "keeper");
    const { docker, kept, leftovers } = watchNode(world, engine.host, login.node);
    const agent = world.agent(login);
    await agent.says("registered");
    const { name, source } = shop(world);
    const took: Record<string, number> = {};
    const time = async <T>(what: string, act: () => Promise<T>): Promise<T> => {
      const at = performance.now();
      const result = await act();
      took[what] = Math.round(performance.now() - at);
      return result;
    };

    // Apply, in the order of dependencies.
    const first = await time("apply to healthy", async () => {
      await apply(source);
      return until(name, isReady(1));
    });
    const [page, redis] = await kept();
    expect([page?.service, redis?.service]).toEqual(["page", "redis"]);
    expect(replicaOf(first, "redis")).toMatchObject({ isHealthy: true, containerId: redis?.id, restarts: 0 });
    expect(Date.parse(page?.startedAt ?? "")).toBeGreaterThan(Date.parse(redis?.startedAt ?? ""));

    // Killed: the same container is started again.
    const restarted = (count: number) => (one: typeof first) =>
      isReady(1)(one) && replicaOf(one, "redis").restarts === count;
    await docker.getContainer(redis?.id ?? "").kill();
    const back = await time("killed and back", () => until(name, restarted(1)));
    expect(replicaOf(back, "redis").containerId).toBe(redis?.id);
    expect(took["killed and back"]).toBeLessThan(5_000);

    // Removed: there is another one.
    await docker.getContainer(redis?.id ?? "").remove({ force: true });
    const isAnother = (one: typeof first) => isReady(1)(one) && replicaOf(one, "redis").containerId !== redis?.id;
    const made = replicaOf(await time("removed and back", () => until(name, isAnother)), "redis").containerId;
    expect(took["removed and back"]).toBeLessThan(5_000);

    // Changed and stopped by hand.
    await docker.getContainer(made).update({ Memory: 64 << 20, MemorySwap: 64 << 20 });
    const isRenewed = (one: typeof first) => isReady(1)(one) && replicaOf(one, "redis").containerId !== made;
    const mended = replicaOf(await time("edited and mended", () => until(name, isRenewed)), "redis").containerId;
    expect((await docker.getContainer(mended).inspect()).HostConfig.Memory).toBe(0);
    await docker.getContainer(mended).stop({ t: 1 });
    await time("stopped and back", () =>
      expect
        .poll(async () => (await kept()).map(({ id, state }) => [id, state]))
        .toEqual([
          [page?.id, "running"],
          [mended, "running"],
        ]),
    );
    await until(name, isReady(1));
    expect(took["edited and mended"]).toBeLessThan(10_000);

    // A service is stopped, started and restarted by its own name, and nothing else moves.
    await environments.stopServices({ environment: name, services: ["page"] });
    await until(name, (one) => replicaOf(one, "page").state === ReplicaState.STOPPED);
    expect((await kept()).filter(({ state }) => state === "running")).toMatchObject([{ id: mended }]);
    await environments.startServices({ environment: name, services: ["page"] });
    const before = replicaOf(await until(name, isReady(1)), "page").containerId;
    await environments.restartServices({ environment: name, services: ["page"] });
    const after = await until(name, (one) => isReady(1)(one) && replicaOf(one, "page").containerId !== before);
    expect(replicaOf(after, "redis").containerId).toBe(mended);

    // A new generation renews what it changed; a rollback brings back what was before.
    expect(await apply(shop(world, { greeting: "goodbye" }).source)).toBe(2);
    const greeting = async () => {
      const [newest] = await kept();
      return (await docker.getContainer(newest?.id ?? "").inspect()).Config.Env?.find((one) =>
        one.startsWith("GREETING="),
      );
    };
    const second = await until(name, isReady(2));
    expect(await greeting()).toBe("GREETING=goodbye");
    expect(replicaOf(second, "redis").containerId).toBe(mended);
    await environments.rollbackEnvironment({ name, generation: 1 });
    await until(name, isReady(3));
    expect(await greeting()).toBe("GREETING=hello");

    // Deleted: nothing of ours is left but the volume, which holds data.
    await environments.deleteEnvironment({ name });
    await time("deleted", () => expect.poll(leftovers).toEqual([`${name}_data`]));
    await expect.poll(async () => (await environments.listEnvironments({})).environments).toEqual([]);
    expect(agent.isAlive).toBe(true);
  }, 60_000);
});
