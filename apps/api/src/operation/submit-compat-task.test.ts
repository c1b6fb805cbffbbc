import { silentWaker } from "@drover/db/wake";
import { openDatabase } from "@drover/db/client";
import { register } from "@drover/db/node/register";
import { createDirectory } from "@drover/db/query/directory";
import { findKeys, getTaskDetails } from "@drover/db/query/task";
import { createTestDatabase } from "@drover/db/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClass } from "./create-class.ts";
import { hashDraft } from "./request-hash.ts";
import { createSubmitCompatTask } from "./submit-compat-task.ts";
import { createDefinitionCache } from "./definition-cache.ts";
import { createSubmitTask } from "./submit-task.ts";

const caller = { namespace: "default", actor: "test" };
const blank = { id: "", class: "", payload: {}, priority: 0, workflowId: "" };
const imageless = { execution: { command: ["true"] } };

let bench: Awaited<ReturnType<typeof createBench>>;

beforeAll(async () => {
  bench = await createBench();
});
afterAll(() => bench.close());

describe("a task without an image", () => {
  it("waits for a node while none has come yet", async () => {
    await bench.submit({ ...blank, id: "no-node", payload: imageless });
    expect(await bench.find("no-node")).toMatchObject({ state: "pending", executor: "process" });
  });

  it("fails at once where the nodes run no processes and its class has no image", async () => {
    await bench.addNode("containers-only", ["docker"]);
    await bench.submit({ ...blank, id: "nowhere", payload: imageless });
    expect(await bench.find("nowhere")).toMatchObject({
      state: "failed",
      error: {
        class: "invalid_execution",
        message:
          "payload.execution.image is required: class cpu_short has no default image, and no node runs processes",
      },
    });
  });

  it("runs in the default image of its class", async () => {
    await createClass(bench.deps, caller, "with_image", { defaultImage: "busybox" });
    await bench.submit({ ...blank, id: "default-image", class: "with_image", payload: imageless });
    expect(await bench.find("default-image")).toMatchObject({
      state: "pending",
      executor: "docker",
      execution: { image: "busybox" },
    });
  });

  it("runs as a process once a node does that, and is still the same request", async () => {
    await bench.addNode("processes-too", ["docker", "process"]);
    await bench.submit({ ...blank, id: "somewhere", payload: imageless });
    expect(await bench.find("somewhere")).toMatchObject({ state: "pending", executor: "process" });
    await bench.submit({ ...blank, id: "nowhere", payload: imageless });
    expect(await bench.find("nowhere")).toMatchObject({ state: "failed" });
  });
});

describe("a task with GPUs", () => {
  const execution = { image: "busybox", command: ["train"] };

  it("waits to be placed, whichever way it asks for them", async () => {
    const own = { execution: { ...execution, resources: { gpu_count: 1, gpu_class: "a100" } } };
    await bench.submit({ ...blank, id: "own", class: "gpu", payload: own });
    expect(await bench.find("own")).toMatchObject({ type: "placed", execution: { resources: { gpuClass: "a100" } } });
    await bench.submit({ ...blank, id: "slurm", class: "gpu_slurm", payload: { execution, nodes: 1, gpus: 2 } });
    expect(await bench.find("slurm")).toMatchObject({ type: "placed", execution: { resources: { gpuCount: 2 } } });
    await bench.submit({ ...blank, id: "none", class: "gpu", payload: { execution, gpus: 2 } });
    expect(await bench.find("none")).toMatchObject({ type: "" });
  });

  it("fails at once with the way out where it asks for several nodes", async () => {
    await bench.submit({ ...blank, id: "many", class: "gpu_slurm", payload: { execution, nodes: 2, gpus: 8 } });
    expect(await bench.find("many")).toMatchObject({
      state: "failed",
      error: { class: "invalid_execution", message: expect.stringContaining("execution.gang of size 2") },
    });
  });
});

describe("hashDraft", () => {
  it("does not depend on the order of keys, nor on the id", () => {
    const draft = { class: "gpu", type: "", priority: 0 };
    const one = hashDraft({ ...draft, id: "a", payload: { a: [1, { b: 2, c: null }], d: "x" } });
    expect(hashDraft({ payload: { d: "x", a: [1, { c: null, b: 2 }] }, ...draft, id: "b" })).toEqual(one);
    expect(hashDraft({ ...draft, payload: { a: [{ b: 2, c: null }, 1], d: "x" } })).not.toEqual(one);
    expect(hashDraft({ ...draft, payload: { a: [1, { b: "2", c: null }], d: "x" } })).not.toEqual(one);
  });
});

async function createBench() {
  const database = await createTestDatabase();
  const db = openDatabase({ url: database.url });
  const deps = { db, directory: createDirectory({ db, classSeconds: 0 }), waker: silentWaker };
  const submitTask = createSubmitTask(deps);
  const namespaceId = await deps.directory.namespaceId("default");
  return {
    deps,
    // A new one each time remembers nothing of the nodes.
    submit: (draft: typeof blank & { payload: object }) =>
      createSubmitCompatTask({ deps, submitTask, definitions: createDefinitionCache() })(caller, {
        ...draft,
        payload: { ...draft.payload },
      }),
    async find(id: string) {
      const key = (await findKeys(db, namespaceId, [id])).get(id);
      return key === undefined ? undefined : (await getTaskDetails(db, namespaceId, [key]))[0];
    },
    addNode: (name: string, executors: ("docker" | "process")[]) =>
      register(db, {
        kind: "node",
        name,
        namespace: "default",
        executors,
        taskTypes: [],
        classes: null,
        slots: {},
        facts: {},
        version: "1",
      }),
    async close() {
      await db.close();
      await database.drop();
    },
  };
}
