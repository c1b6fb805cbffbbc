import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { EnvironmentSchema, EnvironmentState, ReplicaState } from "@drover/proto/drover/environment";
import { describe, expect, it } from "vitest";
import { everyStep as steps, goodSource as good, shop, watching } from "../testing-environment.ts";
import { createTestDrover, type TestDroverOptions } from "../testing.ts";

const { RUNNING, STARTING, FAILED } = ReplicaState;

function setup(environments: TestDroverOptions["environments"] = {}, options: TestDroverOptions = {}) {
  return createTestDrover({ environments, ...options });
}

describe("drover env get and list", () => {
  it("show services with their replicas, in order, and what to do next", async () => {
    const environment = shop(FAILED);
    const drover = setup({
      getEnvironment: () => ({ environment }),
      listGenerations: () => ({}),
      listEnvironments: () => ({ environments: [{ ...environment, services: [] }] }),
    });
    const { out, err } = await drover("env", "get", "shop");
    const table = out.split("\n").slice(6);
    expect(table[0]).toMatch(/^SERVICE +STATE +NODE +PORTS +UP +RESTARTS +IMAGE +NOTE$/);
    expect(table[1]).toMatch(/^redis +failed +n1 +127\.0\.0\.1:6379->6379 +2 +redis:7 +It ended with exit code 1\.$/);
    expect(table[2]).toMatch(/^page\/1 \(optional\) +running +n1 +- +0 +page:1$/);
    expect(err).toBe("\nTry: drover service logs shop redis --tail 50\n");
    expect((await drover("env", "get", "shop", "--source")).out).toBe(good);
    expect((await drover("env", "list")).out).toMatch(
      /\nshop +failed +3 +1m ago +Not everything runs yet\. redis: It starts\.\n$/,
    );
    const [listed] = JSON.parse((await drover("env", "list", "--json")).out) as object[];
    expect(listed).toMatchObject({ name: "shop", state: "failed" });
    expect(listed).not.toHaveProperty("services");
  });

  it("list what many services say in a sentence, and where to read the rest", async () => {
    const message = `Not everything runs. ${Array.from({ length: 19 }, (_, n) => `s${n}: It has failed.`).join(" ")}`;
    const environments = [{ ...shop(FAILED), services: [], message }];
    const drover = setup({ listEnvironments: () => ({ environments }) });
    expect((await drover("env", "list")).out).toMatch(/ Not everything runs\. Try: drover env get shop\n$/);
    const [listed] = JSON.parse((await drover("env", "list", "--json")).out) as object[];
    expect(listed).toMatchObject({ message });
  });

  it("say the whole of what a terminal is too narrow for", async () => {
    const drover = setup(
      { getEnvironment: () => ({ environment: shop(FAILED) }), listGenerations: () => ({}) },
      { columns: 70 },
    );
    const { out } = await drover("env", "get", "shop", "--no-color");
    expect(out).toMatch(/\nredis +failed +[^\n]+…\n/);
    expect(out).toContain("\nredis: It ended with exit code 1.\n");
  });

  it("tell node by node why a replica has no place", async () => {
    const rejections = [{ node: "n1", code: "memory", message: "It has 1 GiB free of 4 GiB." }];
    const environment = shop(STARTING);
    const [redis] = environment.services[0]?.instances ?? [];
    Object.assign(redis ?? {}, { state: ReplicaState.PENDING, node: "", containerId: "" });
    redis?.rejections.push(
      ...(create(EnvironmentSchema, { services: [{ instances: [{ rejections }] }] }).services[0]?.instances[0]
        ?.rejections ?? []),
    );
    const drover = setup({ getEnvironment: () => ({ environment }), listGenerations: () => ({}) });
    expect((await drover("env", "get", "shop")).out).toMatch(
      /\nNo node can run redis:\n {2}NODE +REASON +MORE\n {2}n1 +memory +It has 1 GiB free of 4 GiB\.\n$/,
    );
  });

  it("tell that a generation was taken back, and by whom", async () => {
    const by = (actor: string) =>
      setup({
        getEnvironment: () => ({ environment: shop(RUNNING) }),
        listGenerations: () => ({
          generations: [{ generation: 3, copyOf: 1, actor }, { generation: 2 }, { generation: 1 }],
        }),
      });
    expect((await by("roll-out")("env", "get", "shop")).out).toMatch(
      /\nTaken back +generation 2 failed and was taken back: generation 3 is generation 1 again\n/,
    );
    expect((await by("ann")("env", "get", "shop")).out).toMatch(/\nTaken back +generation 2 was taken back by ann: /);
    expect(JSON.parse((await by("ann")("env", "get", "shop", "--json")).out)).toMatchObject({ copyOf: 1 });
  });

  it("tell that a container that runs was changed by hand", async () => {
    const environment = shop(RUNNING);
    Object.assign(environment.services[0]?.instances[0] ?? {}, { message: "Changed by hand: memory." });
    const drover = setup({ getEnvironment: () => ({ environment }), listGenerations: () => ({}) });
    for (const words of [
      ["env", "get", "shop"],
      ["service", "status", "shop"],
    ])
      expect((await drover(...words)).out).toMatch(/\nredis +running .*Changed by hand: memory\.\n/);
  });

  it("say what there is where there is no such environment", async () => {
    const drover = setup({
      getEnvironment() {
        throw new ConnectError('Environment "shpo" does not exist.', Code.NotFound);
      },
    });
    expect(await drover("env", "get", "shpo")).toMatchObject({
      code: 3,
      err: 'Error: Environment "shpo" does not exist.\nTry: drover env list\n',
    });
  });
});

describe("drover env history, rollback and drift", () => {
  it("list generations, and give an older source back", async () => {
    const generations = [
      { generation: 2, copyOf: 1, source: good, actor: "ann" },
      { generation: 1, source: "old", actor: "bob" },
    ];
    const drover = setup({ listGenerations: () => ({ generations }) });
    expect((await drover("env", "history", "shop")).out).toMatch(
      /^GENERATION +APPLIED +BY +NOTE\n +2 +ann +newest, back to generation 1\n +1 +bob\n$/,
    );
    expect((await drover("env", "history", "shop", "--generation", "1")).out).toBe("old\n");
    expect((await drover("env", "history", "shop", "--generation", "7")).code).toBe(3);
  });

  it("go back to a generation and follow it", async () => {
    const asked: number[] = [];
    const drover = setup({
      rollbackEnvironment({ generation }) {
        asked.push(generation);
        return { environment: shop(STARTING), steps };
      },
      ...watching(shop(RUNNING)),
    });
    expect((await drover("env", "rollback", "shop")).err).toBe("Try: drover env watch shop\n");
    const { code, out } = await drover("env", "rollback", "shop", "--to", "2", "--wait");
    expect({ code, asked }).toEqual({ code: 0, asked: [0, 2] });
    expect(out).toContain("\nshop is back, as generation 3: 1 to create");
  });

  it("exit with 1 where a container is not as declared", async () => {
    const drift = { service: "redis", replica: 1, node: "n1", field: "image", wanted: "redis:7", found: "redis:6" };
    const drover = setup({ getDrift: ({ name }) => ({ drifts: name === "shop" ? [drift] : [] }) });
    const { code, out, err } = await drover("env", "drift", "shop");
    expect({ code, err }).toEqual({ code: 1, err: "\nTry: drover service restart shop redis\n" });
    expect(out).toMatch(/\nredis +1 +n1 +image +redis:7 +redis:6\n$/);
    expect(await drover("env", "drift", "other", "--json")).toEqual({ code: 0, out: "[]\n", err: "" });
  });
});

describe("drover env drift", () => {
  it("writes amounts as people do", async () => {
    const drift = { service: "redis", replica: 1, node: "n1" };
    const drover = setup({
      getDrift: () => ({
        drifts: [
          { ...drift, field: "memory", wanted: "0", found: "67108864" },
          { ...drift, field: "cpu", wanted: "1500000000", found: "0" },
          { ...drift, field: "env.SIZE", wanted: "0", found: "1024" },
        ],
      }),
    });
    const rows = (await drover("env", "drift", "shop")).out.split("\n").map((row) => row.split(/ {2,}/).slice(-3));
    expect(rows.slice(1, 4)).toEqual([
      ["memory", "no limit", "64 MiB"],
      ["cpu", "1.5", "no limit"],
      ["env.SIZE", "0", "1024"],
    ]);
  });
});

describe("drover env delete and watch", () => {
  it("wait until it is gone, also where it was so at once", async () => {
    let calls = 0;
    const drover = setup({
      deleteEnvironment: () => ({}),
      async *watchEnvironment() {
        calls += 1;
        if (calls > 1) throw new ConnectError("It does not exist.", Code.NotFound);
        yield { environment: shop(RUNNING, { state: EnvironmentState.DELETING }) };
      },
    });
    const first = await drover("env", "delete", "shop", "--wait");
    expect(first).toMatchObject({ code: 0, err: expect.stringMatching(/^deleted after /) as string });
    expect(first.out).toMatch(/ {2}shop {2}deleting .*\nshop {2}deleted\n$/);
    expect((await drover("env", "delete", "shop", "--wait")).out).toBe("shop  deleted\n");
    expect((await drover("env", "delete", "shop")).out).toContain("Try: drover env watch shop");
  });

  it("may find none of that name, where that is asked for", async () => {
    const drover = setup({
      deleteEnvironment() {
        throw new ConnectError('There is no environment "shop".', Code.NotFound);
      },
    });
    expect((await drover("env", "delete", "shop")).code).toBe(3);
    const ignoring = ["env", "delete", "shop", "--ignore-missing", "--wait"];
    expect(await drover(...ignoring)).toEqual({ code: 0, out: "shop  was not there\n", err: "" });
    expect(JSON.parse((await drover(...ignoring, "--json")).out)).toEqual([{ id: "shop", state: "missing" }]);
  });

  it("draw it in its place on a terminal, and leave the end when interrupted", async () => {
    const stop = new AbortController();
    const drover = setup(
      {
        async *watchEnvironment(_, { signal }) {
          yield { environment: shop(STARTING) };
          yield { environment: shop(RUNNING) };
          stop.abort("SIGINT");
          await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
        },
      },
      { stop: stop.signal, columns: 100 },
    );
    const { code, out, err } = await drover("env", "watch", "shop", "--no-color");
    expect({ code, err }).toEqual({ code: 130, err: "Interrupted.\n" });
    const frames = out.split("\u001B[?7l");
    expect(frames[1]).toContain("shop  generation 3  converging  1 of 2 services run");
    expect(frames.at(-1)?.split("\u001B[J").at(-1)).toMatch(/^shop {2}generation 3 {2}ready [^]+\nredis +running /);
  });

  it("go on where the stream is cut, and write one JSON object for each change", async () => {
    let calls = 0;
    const drover = setup({
      async *watchEnvironment() {
        calls += 1;
        if (calls === 3) throw new ConnectError("It does not exist.", Code.NotFound);
        yield { environment: shop(calls === 1 ? STARTING : RUNNING) };
        if (calls === 1) throw new ConnectError("aborted", Code.Aborted);
      },
    });
    const { code, out } = await drover("env", "watch", "shop", "--json");
    const states = out
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { state: string }).state);
    expect({ code, states }).toEqual({ code: 0, states: ["converging", "ready"] });
  });
});
