import { setTimeout as delay } from "node:timers/promises";
import { Code } from "@connectrpc/connect";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findTestEngine } from "../../apps/agent/src/docker/testing.ts";
import { startTestRegistry } from "../../apps/agent/src/docker/testing-registry.ts";
import type { StreamServiceLogsResponse } from "../../proto/gen/drover/v1/environment_pb.ts";
import { openRequestWorld } from "./node-request.ts";

const engine = await findTestEngine();

describe.skipIf(engine.missing !== undefined)(`what is asked of nodes ${engine.missing ?? ""}`, () => {
  type World = Awaited<ReturnType<typeof openRequestWorld>>;
  let world: World;
  let first: Awaited<ReturnType<World["api"]>>;
  let second: Awaited<ReturnType<World["api"]>>;
  beforeAll(async () => {
    if (engine.missing !== undefined) return;
    world = await openRequestWorld(engine);
    first = await world.api();
    second = await world.api();
  });
  afterAll(() => world.close());

  const read = async <T>(stream: AsyncIterable<T>) => {
    const all: T[] = [];
    for await (const one of stream) all.push(one);
    return all;
  };
  const texts = (lines: StreamServiceLogsResponse[]) => lines.map(({ message }) => message);
  /** Follows in the background; `seen` grows. */
  const follow = (lines: AsyncIterable<StreamServiceLogsResponse>) => {
    const seen: string[] = [];
    const end = (async () => {
      for await (const { message } of lines) seen.push(message);
    })();
    return {
      seen,
      end: end.then(
        () => undefined,
        (error: unknown) => error,
      ),
    };
  };

  it("yields the lines of all replicas with the engine's stamps, on any replica of the API, and ends", async () => {
    const node = await world.agent();
    const other = await world.agent();
    const one = await world.replica(node.holderId);
    const two = await world.replica(other.holderId, one);
    const container = await world.container(one.id, "echo a; echo b >&2; echo c");
    await world.container(two.id, "echo d; printf 'no end'");
    await container.wait();
    for (const api of [first, second]) {
      const lines = await read(api.service.streamServiceLogs(one));
      expect(texts(lines).toSorted()).toEqual(["a", "b", "c", "d", "no end"]);
      const ours = lines.filter(({ replica }) => replica === one.number);
      expect(texts(ours.filter(({ stream }) => stream === "stdout"))).toEqual(["a", "c"]);
      expect(texts(ours.filter(({ stream }) => stream === "stderr"))).toEqual(["b"]);
      expect(ours.every(({ containerId }) => containerId === container.id)).toBe(true);
      const printed = (await container.logs({ stdout: true, stderr: true, timestamps: true })).toString("latin1");
      for (const { at } of ours) expect(printed).toContain(String(at?.nanos).padStart(9, "0").replace(/0+$/, ""));
    }
    expect(await world.count("node_request")).toBe(0);
    expect(texts(await read(first.service.streamServiceLogs({ ...one, replica: two.number })))).toEqual([
      "d",
      "no end",
    ]);
  });

  it("yields the last lines, and those since a time", async () => {
    const node = await world.agent();
    const replica = await world.replica(node.holderId);
    const container = await world.container(
      replica.id,
      "for i in 1 2 3 4; do echo line $i; done; sleep 2.2; echo late",
    );
    await container.wait();
    const all = await read(first.service.streamServiceLogs(replica));
    expect(texts(await read(first.service.streamServiceLogs({ ...replica, tail: 2 })))).toEqual(["line 4", "late"]);
    const late = all.at(-1)?.at;
    const since = { seconds: (late?.seconds ?? 0n) - 1n, nanos: late?.nanos ?? 0 };
    expect(texts(await read(first.service.streamServiceLogs({ ...replica, since })))).toEqual(["late"]);
  });

  it("follows through a restart of the container and into the next container of the replica", async () => {
    const node = await world.agent();
    const replica = await world.replica(node.holderId);
    const container = await world.container(replica.id, "echo begin; sleep 0.2; echo end; exec sleep 600");
    const leaving = new AbortController();
    const followed = follow(second.service.streamServiceLogs({ ...replica, follow: true }, { signal: leaving.signal }));
    await expect.poll(() => followed.seen).toEqual(["begin", "end"]);
    await container.restart({ t: 0 });
    await expect.poll(() => followed.seen).toEqual(["begin", "end", "begin", "end"]);
    await container.remove({ force: true });
    await world.container(replica.id, "echo anew; exec sleep 600");
    await expect.poll(() => followed.seen).toEqual(["begin", "end", "begin", "end", "anew"]);
    leaving.abort();
    await followed.end;
  });

  it("follows through a new life of the agent and to another node", async () => {
    const node = await world.agent();
    const replica = await world.replica(node.holderId);
    const ticking = "i=0; while true; do i=$((i+1)); echo $i; sleep 0.1; done";
    const container = await world.container(replica.id, ticking);
    const leaving = new AbortController();
    const followed = follow(second.service.streamServiceLogs({ ...replica, follow: true }, { signal: leaving.signal }));
    await expect.poll(() => followed.seen.length).toBeGreaterThan(2);
    const next = await world.agent({ name: node.name });
    await expect.poll(() => node.desk.running).toBe(0);
    const before = followed.seen.length;
    await expect.poll(() => followed.seen.length).toBeGreaterThan(before + 20);
    expect(next.desk.running).toBe(1);
    await container.remove({ force: true });
    const other = await world.agent();
    await world.db.run(sql`update drover.replica set holder_id = ${other.holderId} where id = ${replica.id}::bigint`);
    await world.container(replica.id, "echo moved; exec sleep 600");
    await expect.poll(() => followed.seen.at(-1)).toBe("moved");
    await expect.poll(() => other.desk.running).toBe(1);
    await expect.poll(() => next.desk.running).toBe(0);
    const ticks = followed.seen.slice(0, followed.seen.indexOf("moved"));
    expect(ticks).toEqual(ticks.map((_, index) => String(index + 1)));
    leaving.abort();
    await followed.end;
  });

  it("forgets the request and ends the agent's reading when the caller leaves", async () => {
    const node = await world.agent();
    const replica = await world.replica(node.holderId);
    await world.container(replica.id, "while true; do echo tick; sleep 0.05; done");
    const leaving = new AbortController();
    const followed = follow(first.service.streamServiceLogs({ ...replica, follow: true }, { signal: leaving.signal }));
    await expect.poll(() => followed.seen.length).toBeGreaterThan(3);
    expect(node.desk.running).toBe(1);
    leaving.abort();
    expect(await followed.end).toMatchObject({ code: Code.Canceled });
    await expect.poll(() => node.desk.running, { timeout: 2000 }).toBe(0);
    expect(await world.count("node_request")).toBe(0);
  });

  it("learns by its own quiet that nobody waits, where the API died", async () => {
    const node = await world.agent({ aliveMs: 200 });
    const replica = await world.replica(node.holderId);
    await world.container(replica.id, "exec sleep 600");
    await world.db.run(sql`
      insert into drover.node_request (id, holder_id, kind, spec, expires_at)
      values (1, ${node.holderId}, 'logs', ${JSON.stringify({ replicaId: replica.id, follow: true, tail: 0, sinceSeconds: 0 })}::json,
        now() + interval '1 second')`);
    await world.db.run(sql`select drover.touch_holders(array[${node.holderId}::integer])`);
    await expect.poll(() => node.desk.running).toBe(1);
    await expect.poll(() => node.desk.running, { timeout: 4000 }).toBe(0);
    await world.db.run(sql`delete from drover.node_request where id = 1`);
  });

  it("carries a flood of lines whole and in order, and holds it back while its reader rests", async () => {
    const count = 100_000;
    const node = await world.agent();
    const replica = await world.replica(node.holderId);
    const filler = "x".repeat(80);
    const container = await world.container(replica.id, `seq 1 ${count} | sed 's/$/ ${filler}/'`);
    await container.wait();
    let next = 1;
    let peak = 0;
    for await (const { message } of first.service.streamServiceLogs(replica)) {
      if (message !== `${next} ${filler}`) expect(message).toBe(`${next} ${filler}`);
      if (next === 1000) {
        // Nobody reads for a while: what the agent has sent stays within its bound.
        await delay(1500);
        peak = await world.count("node_reply");
      }
      next += 1;
    }
    expect(next - 1).toBe(count);
    expect(peak).toBeGreaterThan(8);
    expect(peak).toBeLessThanOrEqual(17);
  });

  it("tells in words that there is nothing to read", async () => {
    const node = await world.agent();
    const replica = await world.replica(node.holderId);
    const unplaced = await world.replica(null);
    const fault = async (request: { environment: string; service: string; replica?: number; follow?: boolean }) =>
      read(first.service.streamServiceLogs(request)).catch((error: unknown) => error);
    for (const followed of [false, true]) {
      expect(await fault({ ...replica, follow: followed })).toMatchObject({
        code: Code.NotFound,
        message: expect.stringContaining(`has no container: replica 1 on node "${node.name}" is not begun`),
      });
    }
    expect(await fault(unplaced)).toMatchObject({
      code: Code.NotFound,
      message: expect.stringContaining("replica 1 is not placed on a node yet"),
    });
    expect(await fault({ ...replica, replica: 7 })).toMatchObject({
      code: Code.NotFound,
      message: expect.stringContaining("it has no replica 7"),
    });
    expect(await fault({ ...replica, service: "nobody" })).toMatchObject({ code: Code.NotFound });
    expect(await fault({ ...replica, environment: "nowhere" })).toMatchObject({ code: Code.NotFound });
  });

  it("measures what containers use", async () => {
    const node = await world.agent();
    const busy = await world.replica(node.holderId);
    const idle = await world.replica(node.holderId, { ...busy, service: "idle" });
    await world.container(busy.id, "while true; do :; done");
    await world.container(idle.id, "exec sleep 600");
    await world.replica(node.holderId, { ...busy, service: "absent" });
    const { usage } = await first.service.getServiceUsage(busy);
    expect(usage.map(({ service }) => service)).toEqual(["idle", "web"]);
    const [quiet, loud] = usage;
    expect(quiet?.cpuPercent).toBeLessThan(10);
    expect(loud?.cpuPercent).toBeGreaterThan(15);
    expect(loud?.cpuPercent).toBeLessThan(130);
    expect(Number(quiet?.memoryBytes)).toBeGreaterThan(4096);
  });

  it("probes at once and every interval, and takes what runs without a check for healthy", async () => {
    const probes: string[] = [];
    const node = await world.agent({
      probe: async (replicaId) => {
        if (replicaId !== checked.id) return undefined;
        probes.push(replicaId);
        return { isHealthy: false, message: "503", details: { probe: "http" } };
      },
    });
    const checked = await world.replica(node.holderId);
    const plain = await world.replica(node.holderId, { ...checked, service: "plain" });
    await world.replica(null, { ...checked, service: "unplaced" });
    await world.replica(node.holderId, { ...checked, service: "gone" });
    await world.container(checked.id, "exec sleep 600");
    await world.container(plain.id, "exec sleep 600");
    const seen: Record<string, { healthy: boolean; message: string; details: Record<string, string> }[]> = {};
    const request = { environment: checked.environment, intervalSeconds: 1 };
    for await (const one of first.service.streamServiceHealth(request)) {
      (seen[one.service] ??= []).push(one);
      if (seen["web"]?.length === 2 && seen["plain"]?.length === 2) break;
    }
    expect(seen["web"]?.[0]).toMatchObject({
      healthy: false,
      message: "503",
      details: { probe: "http", node: node.name },
    });
    expect(Number(seen["web"]?.[0]?.details["duration_ms"])).toBeGreaterThanOrEqual(0);
    expect(seen["plain"]?.[1]).toMatchObject({ healthy: true, details: { probe: "none" } });
    expect(seen["unplaced"]?.[0]).toMatchObject({ healthy: false, message: expect.stringContaining("not placed") });
    expect(seen["gone"]?.[0]).toMatchObject({ healthy: false, message: expect.stringContaining("no container") });
    expect(probes).toHaveLength(2);
  });

  it("pulls images onto nodes with their bytes, and tells which failed", async () => {
    await using registry = await startTestRegistry();
    const node = await world.agent();
    const image = `${registry.address}/present:1`;
    const absent = `${registry.address}/absent:1`;
    const told = await read(first.node.pullImages({ images: [image, absent], nodes: [node.name] }));
    const ofImage = told.filter((one) => one.image === image);
    expect(ofImage[0]?.status).toBe("downloading");
    expect(ofImage.at(-1)).toMatchObject({ node: node.name, status: "complete", percent: 100 });
    expect(Number(ofImage.at(-1)?.totalBytes)).toBeGreaterThan(100_000);
    expect(ofImage.at(-1)?.currentBytes).toBe(ofImage.at(-1)?.totalBytes);
    const failed = told.filter((one) => one.image === absent).at(-1);
    expect(failed?.status).toBe("error");
    expect(failed?.message).not.toBe("");
    const onlyHere = `${registry.address}/absent/local:1`;
    await world.tag(onlyHere);
    const kept = await read(first.node.pullImages({ images: [onlyHere], nodes: [node.name] }));
    expect(kept.at(-1)).toMatchObject({
      status: "complete",
      percent: 100,
      message: expect.stringContaining("has this image from elsewhere"),
    });
    // Nobody answers there, so that nobody knows whether there is a newer one.
    const unasked = "127.0.0.1:1/local:1";
    await world.tag(unasked);
    const unknown = await read(first.node.pullImages({ images: [unasked], nodes: [node.name] }));
    expect(unknown.at(-1)).toMatchObject({
      status: "error",
      message: expect.stringMatching(/[^.]\. The node has one of this name, and keeps it\.$/),
    });
    await expect(read(first.node.pullImages({ images: [image], nodes: ["nobody"] }))).rejects.toMatchObject({
      code: Code.NotFound,
    });
  });
});
