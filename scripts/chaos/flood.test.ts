import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { ClassService } from "@drover/proto/drover/class";
import { TaskService } from "@drover/proto/drover/task";
import { describe, expect, it } from "vitest";
import { insist } from "./client.ts";
import { setup } from "./setup.ts";
import { createWorld } from "./world.ts";

const clients = 200;
const perWave = 50;
/** The heap, its young generation, code, and the buffers of 200 connections. */
const maxRssBytes = 512 * 1024 * 1024;
const payload = { kind: { case: "stringValue" as const, value: "x".repeat(500) } };

describe("a flood of submits", () => {
  it("of 200 clients is taken whole, twice over, in a heap of 192 MB", async () => {
    await using world = createWorld();
    // How much V8 takes when it may says little: what does not fit into this is kept and not merely uncollected.
    const { api, ledger } = await setup(world, { env: { NODE_OPTIONS: "--max-old-space-size=192" } });
    const connected = Array.from({ length: clients }, () =>
      createClient(TaskService, createGrpcTransport({ baseUrl: api.url })),
    );
    const wave = async (name: string) => {
      let mostBytes = 0;
      const submitAll = async (tasks: (typeof connected)[number], client: number) => {
        for (let first = 0; first < perWave; first += 10) {
          const ids = Array.from({ length: 10 }, (_, n) => `${name}-${client}-${first + n}`);
          const answers = await Promise.all(
            ids.map((id) => insist(() => tasks.submitTask({ task: { id, type: "nobody", payload } }))),
          );
          expect(answers.map((answer) => answer.id)).toEqual(ids);
        }
        mostBytes = Math.max(mostBytes, api.process.rssBytes());
      };
      await Promise.all(connected.map(submitAll));
      return mostBytes;
    };
    const first = await wave("first");
    const second = await wave("second");
    const total = 2 * clients * perWave;
    expect(await ledger.counts()).toMatchObject({ task: total, ready: total });
    expect(await ledger.faults()).toEqual([]);
    expect(api.process.isAlive).toBe(true);
    expect(Math.max(first, second)).toBeLessThan(maxRssBytes);
  }, 60_000);

  it("beyond a class's depth limit is refused with a time to come back, and taken again once there is room", async () => {
    await using world = createWorld();
    const { api, ledger, tasks, databaseUrl } = await setup(world);
    await createClient(ClassService, api.transport()).createClass({ name: "narrow", depthLimit: 100n });
    const answers = await Promise.all(
      Array.from({ length: 40 }, async (_, client) => {
        const codes: Code[] = [];
        for (let n = 0; n < 10; n += 1) {
          const fault = await tasks
            .submitTask({ task: { id: `narrow-${client}-${n}`, class: "narrow", type: "echo" } })
            .then(
              () => undefined,
              (error: unknown) => ConnectError.from(error),
            );
          if (fault === undefined) continue;
          codes.push(fault.code);
          expect(fault.details.map((detail) => ("type" in detail ? detail.type : detail.desc.typeName))).toContain(
            "google.rpc.RetryInfo",
          );
          expect(Number(fault.metadata.get("retry-after"))).toBeGreaterThan(0);
        }
        return codes;
      }),
    );
    expect(new Set(answers.flat())).toEqual(new Set([Code.ResourceExhausted]));
    const { ready } = await ledger.counts();
    // Those that asked at the same moment were all let in: a limit of depth is a brake, not a count.
    expect(ready).toBeGreaterThanOrEqual(100);
    expect(ready).toBeLessThan(100 + 2 * 40);
    expect(answers.flat()).toHaveLength(400 - ready);
    world.worker({ name: "drain", types: ["echo"], databaseUrl });
    await expect.poll(async () => (await ledger.counts()).ready, { timeout: 15_000 }).toBe(0);
    expect(await tasks.submitTask({ task: { id: "room-again", class: "narrow", type: "echo" } })).toMatchObject({
      created: true,
    });
  }, 40_000);
});
