import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { EnvironmentState, ReplicaState, ServiceSchema } from "@drover/proto/drover/environment";
import { describe, expect, it, onTestFinished } from "vitest";
import { everyStep as steps, goodSource as good, shop, watching } from "../testing-environment.ts";
import { createTestDrover, type TestDroverOptions } from "../testing.ts";

const { RUNNING, STARTING, FAILED, PENDING } = ReplicaState;
const bad = "drover: environment/v1\nname: shop\nservices:\n  redis: { imgae: redis:7, dependsOn: page }\n";

function setup(environments: TestDroverOptions["environments"] = {}, options: TestDroverOptions = {}) {
  const folder = mkdtempSync(join(tmpdir(), "drover-env-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = (text: string) => {
    writeFileSync(join(folder, "shop.yaml"), text);
    return join(folder, "shop.yaml");
  };
  return { drover: createTestDrover({ environments, ...options }), file };
}

describe("drover env validate", () => {
  it("needs no server, says every fault with its place and what was meant, and exits with 1", async () => {
    const { drover, file } = setup();
    const path = file(bad);
    const { code, out, err } = await drover("env", "validate", path);
    expect({ code, err }).toEqual({ code: 1, err: "" });
    expect(out).toContain(`${path}:4:12: Expected a key of a service, got "imgae".`);
    expect(out).toContain('      Did you mean "image"?');
    expect(out).toMatch(/shop\.yaml has \d faults\.\n$/);
    expect(await drover("env", "validate", "lightweight")).toEqual({
      code: 0,
      out: "lightweight: valid, environment lightweight, 9 services\n",
      err: "",
    });
  });

  it("writes faults for programs, and knows what a misspelt built-in was to be", async () => {
    const { drover, file } = setup();
    const { code, out } = await drover("env", "validate", file(bad), "--json");
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject([
      { valid: false, faults: expect.arrayContaining([expect.objectContaining({ line: 4, column: 12 })]) as object[] },
    ]);
    expect(await drover("env", "validate", "lightwieght")).toMatchObject({
      code: 2,
      err: expect.stringContaining("Try: drover env validate lightweight\n") as string,
    });
  });
});

describe("drover env plan", () => {
  const planEnvironment = () => ({ name: "shop", generation: 3, steps });

  it("shows what changes below each service, why nothing fits, and the sum", async () => {
    const { drover, file } = setup({ planEnvironment });
    const path = file(good);
    const { code, out, err } = await drover("env", "plan", path);
    expect(out).toBe(
      [
        "  + redis   create",
        "      image: redis:7",
        "      goes to n1 (2), n2",
        "  ~ page    replace",
        "      image: page:1 -> page:2",
        "  ~ ranker  scale",
        "      replicas: 1 -> 2",
        "      No node can run it now:",
        "        NODE  REASON     MORE",
        "        n1    gpu_taken  Its GPU is taken.",
        "  - old     remove",
        "",
        "shop: 1 to create, 1 to replace, 1 to change, 1 to remove, 1 stays as it is. This would be generation 4.\n",
      ].join("\n"),
    );
    expect({ code, err }).toEqual({ code: 0, err: `Try: drover env apply ${path} --wait\n` });
    expect((await drover("env", "plan", path, "--exit-code")).code).toBe(1);
    expect(JSON.parse((await drover("env", "plan", path, "--json")).out)).toMatchObject({
      changes: true,
      generation: 3,
    });
  });

  it("has nothing to do where all is declared like this", async () => {
    const { drover, file } = setup({
      planEnvironment: () => ({ name: "shop", generation: 3, steps: [{ action: "keep", service: "redis" }] }),
    });
    expect(await drover("env", "plan", file(good), "--exit-code")).toEqual({
      code: 0,
      out: "Nothing to do: shop is declared like this already, as generation 3.\n",
      err: "",
    });
  });

  it("says what is wrong with the file where it stands", async () => {
    const faults = [{ message: "Expected something else.", line: 4, column: 3 }];
    const { drover, file } = setup({ planEnvironment: () => ({ faults }) });
    const { code, out, err } = await drover("env", "plan", file(bad));
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toContain("    4 |   redis: { imgae: redis:7, dependsOn: page }\n      |            ^^^^^\n");
  });

  it("colours signs for people only", async () => {
    const { drover, file } = setup({ planEnvironment }, { columns: 100 });
    expect((await drover("env", "plan", file(good))).out).toContain("\u001B[32m+ redis\u001B[0m   create");
  });
});

describe("drover env apply", () => {
  const applied = (created: boolean) => ({
    applyEnvironment: () => ({ environment: shop(STARTING), created, steps: created ? steps : [] }),
  });

  it("says what it changed, and what to look at next", async () => {
    const { drover, file } = setup(applied(true));
    const { code, out, err } = await drover("env", "apply", file(good));
    expect(out).toMatch(/\nApplied shop as generation 3: 1 to create, .+\.\n$/);
    expect({ code, err }).toEqual({ code: 0, err: "Try: drover env watch shop\n" });
    const { drover: again, file: same } = setup(applied(false));
    expect((await again("env", "apply", same(good))).out).toBe(
      "shop was declared like this already, as generation 3.\n",
    );
  });

  it("follows until all is ready, a line for each change where nobody looks", async () => {
    const { drover, file } = setup({ ...applied(false), ...watching(shop(STARTING), shop(STARTING), shop(RUNNING)) });
    const { code, out, err } = await drover("env", "apply", file(good), "--wait");
    expect(code).toBe(0);
    expect(
      out
        .replace(/\d\d:\d\d:\d\d/g, "TIME")
        .split("\n")
        .slice(2, -1),
    ).toEqual([
      "TIME  redis  starting",
      "TIME  page/1 (optional)  running",
      "TIME  page/2 (optional)  running",
      "TIME  shop  converging  Not everything runs yet.",
      "TIME  redis  running",
      "TIME  shop  ready  All 2 services run.",
    ]);
    expect(err).toMatch(/^ready after .+\n$/);
  });

  it("leaves the stream when it has seen enough, so that the program ends", async () => {
    let hasLeft = false;
    const { drover, file } = setup({
      ...applied(true),
      async *watchEnvironment(_, { signal }) {
        signal.addEventListener("abort", () => (hasLeft = true), { once: true });
        yield { environment: shop(RUNNING) };
        await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
      },
    });
    expect((await drover("env", "apply", file(good), "--wait")).code).toBe(0);
    await expect.poll(() => hasLeft).toBe(true);
  });

  it("exits with 1 where a required service failed, with why and the log to read", async () => {
    const { drover, file } = setup({ ...applied(true), ...watching(shop(STARTING), shop(FAILED)) });
    const { code, err } = await drover("env", "apply", file(good), "--wait");
    expect(code).toBe(1);
    expect(err).toMatch(
      /^failed after .+:\n {2}redis: It ended with exit code 1\.\nTry: drover service logs shop redis --tail 50\n$/,
    );
    const json = await drover("env", "apply", file(good), "--wait", "--json");
    expect(json).toMatchObject({ code: 1, err: "" });
    expect(JSON.parse(json.out)).toMatchObject({
      created: true,
      environment: { state: "failed", services: [{ state: "failed", instances: [{ state: "failed" }] }, {}] },
    });
  });

  it("exits with 1 where the roll-out stands still, and says how to go back", async () => {
    const paused = shop(RUNNING, { state: EnvironmentState.DEGRADED, pausedReason: "replica 1 of page failed" });
    const { drover, file } = setup({ ...applied(true), ...watching(paused) });
    const { code, err } = await drover("env", "apply", file(good), "--wait");
    expect({ code, err: err.replace(/ after \S+:/, "") }).toEqual({
      code: 1,
      err: "paused replica 1 of page failed\nTry: drover env get shop, or drover env rollback shop\n",
    });
  });

  it("exits with 1 where the generation failed and was taken back, with why and what it is now", async () => {
    const broken = shop(FAILED);
    Object.assign(broken.services[0]?.instances[0] ?? {}, { generation: 3 });
    const half = { state: EnvironmentState.CONVERGING, services: broken.services };
    const went = (...generations: object[]) =>
      setup({
        ...applied(true),
        ...watching(shop(STARTING), shop(RUNNING, half), shop(RUNNING, { generation: 4 })),
        listGenerations: () => ({ generations }),
      });
    Object.assign(broken.services[0] ?? {}, { replicas: 3, running: 2 });
    const { drover, file } = went({ generation: 4, copyOf: 2, actor: "roll-out" }, { generation: 3 });
    const { code, err } = await drover("env", "apply", file(good), "--wait");
    expect(code).toBe(1);
    expect(err).toMatch(
      /^failed after \S+: generation 3 failed \(redis\/1: It ended with exit code 1\) and was taken back: generation 4 is generation 2 again\.\nTry: drover env watch shop/,
    );
    expect(await drover("env", "apply", file(good), "--wait", "--json")).toMatchObject({ code: 1, err: "" });
    const other = went({ generation: 4, actor: "ann" }, { generation: 3 });
    const ready = await other.drover("env", "apply", other.file(good), "--wait");
    expect(ready.code).toBe(0);
    expect(ready.err).toMatch(/^Generation 4 of shop was applied meanwhile; waiting for that\.\nready after /);
  });

  it("waits a moment for a generation that failed to be taken back, where it says that it is to be", async () => {
    const source = good.replace("image: redis:7", "image: redis:7, update: { onFailure: rollback }");
    const failed = shop(FAILED, { source });
    Object.assign(failed.services[0]?.instances[0] ?? {}, { generation: 3 });
    let looks = 0;
    const { drover, file } = setup({
      ...applied(true),
      async *watchEnvironment() {
        looks += 1;
        yield { environment: failed };
        if (looks > 1) yield { environment: shop(STARTING, { generation: 4, source }) };
      },
      listGenerations: () => ({ generations: [{ generation: 4, copyOf: 2, actor: "roll-out" }] }),
    });
    const { code, err } = await drover("env", "apply", file(good), "--wait");
    expect(code).toBe(1);
    expect(err).toContain("generation 3 failed (redis: It ended with exit code 1) and was taken back");
  });

  it("ends where only what is not required has no node, and says which node refuses it", async () => {
    const page = (required: boolean) => {
      const environment = shop(RUNNING, { state: EnvironmentState.CONVERGING });
      const rejections = [{ node: "n1", code: "gpu_taken", message: "Its GPU is taken." }];
      const unplaced = { number: 1, state: PENDING, message: "Waits for a node that can run it.", rejections };
      environment.services[1] = create(ServiceSchema, {
        name: "page",
        image: "page:1",
        state: PENDING,
        replicas: 1,
        required,
        instances: [unplaced],
      });
      return environment;
    };
    const { drover, file } = setup({ ...applied(true), ...watching(page(false)) });
    const { code, err } = await drover("env", "apply", file(good), "--wait");
    expect(code).toBe(0);
    expect(err).toMatch(
      /^ready, but for what is not required, after \S+:\n {2}page: No node can run it: n1: Its GPU is taken\.\n/,
    );
    const needed = setup({ ...applied(true), ...watching(page(true), shop(RUNNING)) });
    const waited = await needed.drover("env", "apply", needed.file(good), "--wait");
    expect(waited).toMatchObject({
      code: 0,
      out: expect.stringContaining("page  pending  No node can run it: n1: Its GPU is taken.\n") as string,
    });
  });

  it("leaves it alone when the deadline passes, and says how to go on", async () => {
    const { drover, file } = setup({
      ...applied(true),
      async *watchEnvironment(_, { signal }) {
        yield { environment: shop(STARTING) };
        await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
      },
    });
    expect(await drover("env", "apply", file(good), "--wait", "--deadline", "1s")).toMatchObject({
      code: 5,
      err: expect.stringContaining("it goes on.\nTry: drover env get shop\n") as string,
    });
  });

  it("hands over the generation that is expected, and refuses a file with all its faults", async () => {
    const asked: number[] = [];
    const { drover, file } = setup({
      applyEnvironment({ expectedGeneration }) {
        asked.push(expectedGeneration);
        throw new ConnectError("The environment has a fault.", Code.InvalidArgument);
      },
    });
    const path = file(bad);
    const { code, err } = await drover("env", "apply", path, "--expect", "4");
    expect({ code, asked }).toEqual({ code: 1, asked: [4] });
    expect(err).toContain(`${path}:4:12: Expected a key of a service`);
    const json = await drover("env", "apply", path, "--json");
    expect(JSON.parse(json.err)).toMatchObject({ error: { reason: "invalid", try: `drover env validate ${path}` } });
  });
});
