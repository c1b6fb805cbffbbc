import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { GpuState, NodeSchema, NodeState } from "@drover/proto/drover/node";
import { describe, expect, it } from "vitest";
import { workText } from "../node-view.ts";
import { createTestDrover } from "../testing.ts";

const soon = () => timestampFromMs(Date.now() + 300_000);
const gpu = {
  node: "gpu-01",
  uuid: "GPU-1",
  kind: "whole",
  vendor: "nvidia",
  model: "NVIDIA H100",
  memoryMib: 81_920,
  slots: 1,
  holders: [{ slot: 0, taskId: "train-7" }],
  state: GpuState.READY,
  utilizationPercent: 97,
};
const nodeOf = (changes: MessageInitShape<typeof NodeSchema> = {}) =>
  create(NodeSchema, {
    name: "gpu-01",
    state: NodeState.READY,
    executors: ["docker"],
    slots: { gpu: 2 },
    labels: { zone: "a" },
    taints: ["spot"],
    gpus: [gpu],
    facts: { kernel: "6.1" },
    ...changes,
  });

describe("drover node list and get", () => {
  it("show GPUs, labels and taints, and who holds what", async () => {
    const node = nodeOf();
    const drover = createTestDrover({ nodes: { listNodes: () => ({ nodes: [node] }), getNode: () => ({ node }) } });
    expect((await drover("node", "list")).out).toMatch(/^gpu-01 +ready +0 +0 +1 +gpu=2 +docker +zone=a +spot +/m);
    const { out } = await drover("node", "get", "gpu-01");
    expect(out).toMatch(/^Taints +spot$/m);
    expect(out).toMatch(/^gpu-01 +0 +GPU-1 +NVIDIA H100 +80 GiB +whole +ready +1\/1 +97% +task train-7$/m);
    expect(JSON.parse((await drover("node", "get", "gpu-01", "--json")).out)).toMatchObject({
      labels: { zone: "a" },
      isCordoned: false,
      isEmpty: true,
      drainDeadlineAt: null,
      gpus: [{ uuid: "GPU-1", holders: [{ taskId: "train-7", replica: null }] }],
    });
  });

  it("tell one that has joined and not started from one that is lost, and why one is cordoned", async () => {
    const bare = { state: NodeState.LOST, gpus: [] };
    const gone = [gpu, { ...gpu, uuid: "GPU-2", state: GpuState.GONE }];
    const nodes = [
      nodeOf({ ...bare, name: "new" }),
      nodeOf({ ...bare, name: "dead", version: "1.0" }),
      nodeOf({ version: "1.0", isCordoned: true, cordonReason: "disk fills up", gpus: gone }),
    ];
    const drover = createTestDrover({ nodes: { listNodes: () => ({ nodes }), getNode: () => ({ node: nodes[0] }) } });
    const { out } = await drover("node", "list");
    expect(out).toMatch(/^new +joined .* its agent has not started yet$/m);
    expect(out).toMatch(/^dead +lost /m);
    expect(out).toMatch(/^gpu-01 +cordoned +0 +0 +1 \(1 gone\) .* 1\.0 +disk fills up$/m);
    expect((await drover("node", "get", "new")).out).toMatch(/^State +joined$/m);
  });

  it("say what a node takes, also where that is nothing", () => {
    expect(workText(nodeOf())).toBe("runs docker tasks, slots gpu=2");
    expect(workText(nodeOf({ executors: [] }))).toMatch(/^runs no task and no service: /);
  });

  it("say what a host has in words and sizes", async () => {
    const facts = {
      cpu_cores: "16",
      disk_free_bytes: "78372122624",
      gpu_memory_mib: "81920,81920",
      gpu_names: "NVIDIA H100,NVIDIA H100",
      kernel: "Linux 6.1",
    };
    const drover = createTestDrover({ nodes: { getNode: () => ({ node: nodeOf({ facts }) }) } });
    const { out } = await drover("node", "get", "gpu-01");
    const lines = [
      "CPU cores +16",
      "Disk free +73 GiB",
      "GPU memory +80 GiB, 80 GiB",
      "GPU names +NVIDIA",
      "Kernel +Linux",
    ];
    for (const line of lines) expect(out).toMatch(new RegExp(`^${line}`, "m"));
    expect(JSON.parse((await drover("node", "get", "gpu-01", "--json")).out)).toMatchObject({ facts });
  });

  it("say how far a drain is", async () => {
    let node = nodeOf({
      state: NodeState.DRAINING,
      isCordoned: true,
      drainDeadlineAt: soon(),
      running: 1,
      replicas: 2,
    });
    const drover = createTestDrover({ nodes: { getNode: () => ({ node }) } });
    expect((await drover("node", "get", "gpu-01")).out).toMatch(/^Drain +until .*, 1 task and 2 replicas left$/m);
    node = nodeOf({ state: NodeState.DRAINING, isCordoned: true, drainDeadlineAt: soon() });
    expect((await drover("node", "get", "gpu-01")).out).toMatch(
      /^State +drained\n.*\nDrain +done: the node is empty$/m,
    );
  });
});

describe("drover node label and taint", () => {
  const asked: object[] = [];
  const drover = createTestDrover({
    nodes: {
      updateNode({ name, setLabels, unsetLabels, addTaints, removeTaints }) {
        asked.push({ name, setLabels, unsetLabels, addTaints, removeTaints });
        return { node: nodeOf() };
      },
    },
  });

  it("send what is set and what is taken away", async () => {
    expect(await drover("node", "label", "n", "zone=b", "note=a=b", "old-")).toMatchObject({ code: 0 });
    expect(await drover("node", "taint", "n", "spot", "gpu-")).toMatchObject({ code: 0 });
    expect(asked).toMatchObject([
      { setLabels: { zone: "b", note: "a=b" }, unsetLabels: ["old"] },
      { addTaints: ["spot"], removeTaints: ["gpu"] },
    ]);
  });

  it("refuse what is neither", async () => {
    const { code, err } = await drover("node", "label", "n", "zone");
    expect({ code, err }).toMatchObject({
      code: 2,
      err: expect.stringContaining('KEY=VALUE or KEY- for LABEL, got "zone"'),
    });
  });
});

describe("drover node drain", () => {
  const answer = {
    node: nodeOf({ state: NodeState.DRAINING, drainDeadlineAt: soon() }),
    items: [
      { kind: "replica", name: "shop/web/1", to: "gpu-02", expectedSeconds: 12 },
      { kind: "replica", name: "shop/db/1", rejections: [{ node: "gpu-02", code: "memory", message: "No memory." }] },
      { kind: "task", name: "train-7", expectedSeconds: 90 },
    ],
    expectedSeconds: 90,
  };

  it("tells where everything goes, and how long it takes", async () => {
    const asked: object[] = [];
    const drover = createTestDrover({
      nodes: { drainNode: ({ deadlineSeconds, planOnly }) => (asked.push({ deadlineSeconds, planOnly }), answer) },
    });
    const { out, err } = await drover("node", "drain", "gpu-01", "--plan", "--within", "500ms");
    expect(out).toMatch(/^replica +shop\/web\/1 +gpu-02 +12s$/m);
    expect(out).toMatch(/^replica +shop\/db\/1 +nowhere: No memory\./m);
    expect(out).toMatch(/^task +train-7 +its queue +1m 30s$/m);
    expect(err).toBe("Nothing was done. It will be empty in about 1m 30s.\n");
    expect(asked).toEqual([{ deadlineSeconds: 1, planOnly: true }]);
  });

  it("with --wait stays until nothing is left, over a moment without the API", async () => {
    const left = [nodeOf({ running: 1, drainDeadlineAt: soon() }), undefined, nodeOf({ drainDeadlineAt: soon() })];
    const drover = createTestDrover({
      nodes: {
        drainNode: () => answer,
        getNode() {
          const node = left.shift();
          // As often as a read is repeated, and once more.
          if (node === undefined) throw new ConnectError("away", Code.Unavailable);
          return { node };
        },
      },
    });
    const { code, out, err } = await drover("node", "drain", "gpu-01", "--wait");
    expect({ code, out }).toMatchObject({
      code: 0,
      out: expect.stringContaining("Node gpu-01 is drained: nothing is left on it."),
    });
    expect(err).toContain("1 task left\n");
  });

  it("with --wait ends when somebody takes the drain back", async () => {
    const nodes = { drainNode: () => answer, getNode: () => ({ node: nodeOf({ running: 1 }) }) };
    expect(await createTestDrover({ nodes })("node", "drain", "gpu-01", "--wait")).toMatchObject({
      code: 1,
      err: expect.stringContaining("was taken back by somebody else"),
    });
  });
});

describe("drover gpu", () => {
  it("lists GPUs with who holds them, and why one is not ready", async () => {
    const gpus = [gpu, { ...gpu, uuid: "GPU-2", holders: [], state: GpuState.CORDONED, evidence: "Xid 79" }];
    const { out } = await createTestDrover({ nodes: { listGpus: () => ({ gpus }) } })("gpu", "list");
    expect(out).toMatch(/GPU-1 .* ready +1\/1 +97% +task train-7$/m);
    expect(out).toMatch(/GPU-2 .* cordoned +0\/1 +97% +- +Xid 79$/m);
  });

  it("finds no GPU of a node that there is not", async () => {
    const nodes = {
      listGpus: () => ({}),
      getNode({ name }: { name: string }) {
        if (name !== "bare") throw new ConnectError(`There is no node "${name}".`, Code.NotFound);
        return { node: nodeOf({ gpus: [] }) };
      },
    };
    const drover = createTestDrover({ nodes });
    expect(await drover("gpu", "list", "--node", "zz")).toMatchObject({ code: 3, out: "" });
    expect(await drover("gpu", "list", "--node", "bare")).toMatchObject({
      code: 0,
      err: "Node bare has found no GPU.\n",
    });
  });

  it("takes the beginning of a UUID where no other one has it, and else says which have", async () => {
    const asked: string[] = [];
    const gpus = ["GPU-8f2c01", "GPU-8f2cff", "GPU-77", "GPU-7", "GPU-7"].map((uuid) => ({ ...gpu, uuid }));
    const cordonGpu = ({ uuid }: { uuid: string }) => (asked.push(uuid), { gpu });
    const drover = createTestDrover({ nodes: { listGpus: () => ({ gpus }), cordonGpu, uncordonGpu: cordonGpu } });
    await drover("gpu", "cordon", "gpu-8F2c0");
    await drover("gpu", "uncordon", "GPU-7");
    expect(asked).toEqual(["GPU-8f2c01", "GPU-7"]);
    const several = await drover("gpu", "cordon", "GPU-8f2c");
    expect(several.code).toBe(2);
    expect(several.err).toContain('got "GPU-8f2c", with which 2 begin: GPU-8f2c01, GPU-8f2cff.');
    expect(await drover("gpu", "uncordon", "GPU-9")).toMatchObject({ code: 3 });
  });

  it("cordons and uncordons by UUID", async () => {
    const asked: object[] = [];
    const drover = createTestDrover({
      nodes: {
        listGpus: () => ({ gpus: [gpu] }),
        cordonGpu: ({ uuid, reason }) => (asked.push({ uuid, reason }), { gpu }),
        uncordonGpu: ({ uuid }) => (asked.push({ uuid }), { gpu }),
      },
    });
    expect(await drover("gpu", "cordon", "GPU-1", "--reason", "loud")).toMatchObject({ code: 0 });
    expect(await drover("gpu", "uncordon", "GPU-1")).toMatchObject({ code: 0 });
    expect(asked).toEqual([{ uuid: "GPU-1", reason: "loud" }, { uuid: "GPU-1" }]);
  });
});

describe("drover node remove and revoke", () => {
  it("go on after one that is refused, and exit as it says", async () => {
    const drover = createTestDrover({
      nodes: {
        removeNode({ name, force }) {
          if (name === "busy" && !force) throw new ConnectError('Node "busy" is not empty.', Code.FailedPrecondition);
          return {};
        },
        revokeNodeLogin: () => ({}),
      },
    });
    expect(await drover("node", "remove", "busy", "idle")).toMatchObject({ code: 1, out: "idle  removed\n" });
    expect(await drover("node", "remove", "busy", "--force")).toMatchObject({ code: 0, out: "busy  removed\n" });
    expect((await drover("node", "revoke", "gpu-03")).out).toBe("gpu-03  login revoked\n");
  });
});
