import { describe, expect, it } from "vitest";
import type { GpuRequest } from "../environment/declaration.ts";
import { explainPlacement, rejectionOf } from "./fit.ts";
import type { PlacementNode } from "./node.ts";
import type { PlacementRequest } from "./request.ts";
import { testGpu, testNode, testRequest } from "./testing.ts";

const gib = 2 ** 30;
const anyRequest = testRequest();

describe("rejectionOf", () => {
  it("has nothing against a node with room", () => {
    expect(rejectionOf(testNode(1), anyRequest)).toBeUndefined();
    expect(rejectionOf(testNode(1, { gpus: [testGpu(1)] }), forGpus({ count: 1 }))).toBeUndefined();
  });

  it.each<[string, string, Partial<PlacementNode>, PlacementRequest]>([
    ["node_lost", "Node node-1 is lost: its agent is not heard of.", { state: "lost" }, anyRequest],
    ["node_draining", "Node node-1 is being drained.", { state: "draining" }, anyRequest],
    ["node_cordoned", "Node node-1 is cordoned.", { isCordoned: true }, anyRequest],
    ["other_node", "Only node b may run it, not node-1.", {}, testRequest({ constraints: { node: "b" } })],
    [
      "label_missing",
      "Node node-1 has no label zone, the label zone=eu is asked for.",
      {},
      testRequest({ constraints: { labels: { zone: "eu" } } }),
    ],
    [
      "label_missing",
      "Node node-1 has the label zone=us, the label zone=eu is asked for.",
      { labels: { zone: "us" } },
      testRequest({ constraints: { labels: { zone: "eu" } } }),
    ],
    [
      "label_missing",
      "Node node-1 has no label constructor, the label constructor is asked for.",
      {},
      testRequest({ constraints: { labels: { constructor: "" } } }),
    ],
    [
      "label_unwanted",
      "Node node-1 has the label spot=true, which is ruled out.",
      { labels: { spot: "true" } },
      testRequest({ constraints: { notLabels: { spot: "" } } }),
    ],
    [
      "taint",
      "Node node-1 has the taint gpu, which is not tolerated.",
      { taints: ["lab", "gpu"] },
      testRequest({ constraints: { tolerates: ["lab"] } }),
    ],
    [
      "executor_missing",
      "Node node-1 has no executor process ready, but docker.",
      {},
      testRequest({ executor: "process" }),
    ],
    ["class_not_served", "Node node-1 does not serve class batch, but gpu.", {}, testRequest({ class: "batch" })],
    [
      "no_free_slot",
      "Node node-1 has no slot of class gpu free.",
      { slots: { gpu: 0 } },
      testRequest({ class: "gpu" }),
    ],
    [
      "cpu",
      "Node node-1 has 0.5 of 8 CPUs free, 2 asked for.",
      { cpuUsed: 7500 },
      testRequest({ cpuMillicores: 2000 }),
    ],
    [
      "memory",
      "Node node-1 has 1.5 GiB of 32 GiB of memory free, 4 GiB asked for.",
      { memoryUsed: 30.5 * gib },
      testRequest({ memoryBytes: 4 * gib }),
    ],
    [
      "memory",
      "Node node-1 has 4095 MiB of 32768 MiB of memory free, 4096 MiB asked for.",
      { memoryUsed: 28 * gib + 2 ** 20 },
      testRequest({ memoryBytes: 4 * gib }),
    ],
    [
      "host_port",
      "Node node-1 has given port 127.0.0.1:6379/tcp to shop/cache.",
      { hostPorts: new Map([["127.0.0.1:6379/tcp", "shop/cache"]]) },
      testRequest({ ports: [{ containerPort: 6379, hostPort: 6379, hostIp: "127.0.0.1", protocol: "tcp" }] }),
    ],
  ])("says %s: %s", (code, message, differences, request) => {
    expect(rejectionOf(testNode(1, differences), request)).toEqual({ node: "node-1", code, message });
  });

  it("takes a label with any value where none is asked for, and rules out only the value that is named", () => {
    const node = testNode(1, { labels: { zone: "eu" } });
    expect(rejectionOf(node, testRequest({ constraints: { labels: { zone: "" } } }))).toBeUndefined();
    expect(rejectionOf(node, testRequest({ constraints: { notLabels: { zone: "us" } } }))).toBeUndefined();
  });

  it("puts up with every taint for a star", () => {
    const node = testNode(1, { taints: ["gpu", "lab"] });
    expect(rejectionOf(node, testRequest({ constraints: { tolerates: ["*"] } }))).toBeUndefined();
  });

  it("lets in who asks for no cpu where too much has been promised", () => {
    expect(rejectionOf(testNode(1, { cpuUsed: 9000, memoryUsed: 64 * gib }), anyRequest)).toBeUndefined();
  });

  it.each([
    ["0.0.0.0:80/tcp", "127.0.0.1", true],
    [":::80/tcp", "10.0.0.1", true],
    ["127.0.0.1:80/tcp", "0.0.0.0", true],
    ["127.0.0.1:80/tcp", "10.0.0.1", false],
    ["127.0.0.1:80/udp", "127.0.0.1", false],
    ["127.0.0.1:8080/tcp", "0.0.0.0", false],
  ])("knows whether the taken port %s is in the way of %s", (taken, hostIp, isInTheWay) => {
    const node = testNode(1, { hostPorts: new Map([[taken, ""]]) });
    const request = testRequest({ ports: [{ containerPort: 1, hostPort: 80, hostIp, protocol: "tcp" }] });
    expect(rejectionOf(node, request)?.code === "host_port").toBe(isInTheWay);
  });

  it("tells what lasts before what passes", () => {
    const busy = testNode(1, { slots: { gpu: 0 }, cpuUsed: 8000 });
    expect(rejectionOf(busy, forGpus({ count: 1 }, { class: "gpu", cpuMillicores: 1 }))?.code).toBe("gpu_missing");
  });
});

describe("rejectionOf for GPUs", () => {
  const a100 = { model: "NVIDIA A100-SXM4-40GB", memoryMib: 40_960 };
  const slice = { kind: "mig", profile: "1g.10gb", memoryMib: 9728 } as const;

  it.each<[string, string, PlacementNode, Partial<GpuRequest> & { count: number }]>([
    ["gpu_missing", "Node node-1 has no GPUs, 1 is asked for.", testNode(1), { count: 1 }],
    ["gpu_missing", "Node node-1 has 1 GPU, 2 are asked for.", testNode(1, { gpus: [testGpu(1)] }), { count: 2 }],
    [
      "gpu_missing",
      "Node node-1 has no MIG slices, 1 is asked for. It has GPUs instead.",
      testNode(1, { gpus: [testGpu(1)] }),
      { count: 1, share: "mig" },
    ],
    [
      "gpu_model",
      "Node node-1 has 1 GPU of model h100, 2 are asked for. It has NVIDIA A100-SXM4-40GB.",
      testNode(1, { gpus: [testGpu(1), testGpu(2, a100)] }),
      { count: 2, model: "h100" },
    ],
    [
      "gpu_class",
      "Node node-1 has no GPUs of class big, 1 is asked for. Its label gpu-class is small.",
      testNode(1, { labels: { "gpu-class": "small" }, gpus: [testGpu(1)] }),
      { count: 1, class: "big" },
    ],
    [
      "gpu_class",
      "Node node-1 has no GPUs of class big, 1 is asked for. It has no label gpu-class, and the model is NVIDIA A100-SXM4-40GB.",
      testNode(1, { gpus: [testGpu(1, a100)] }),
      { count: 1, class: "big" },
    ],
    [
      "gpu_memory",
      "Node node-1 has no GPUs with at least 60 GiB of memory, 1 is asked for. Others have 40 GiB at most.",
      testNode(1, { gpus: [testGpu(1, a100)] }),
      { count: 1, memoryMib: 61_440 },
    ],
    [
      "gpu_profile",
      "Node node-1 has no MIG slices of profile 2g.20gb, 1 is asked for. Its profiles are 1g.10gb.",
      testNode(1, { gpus: [testGpu(1, slice)] }),
      { count: 1, share: "mig", profile: "2g.20gb" },
    ],
    [
      "gpu_cordoned",
      "Node node-1 has 1 GPU of model H100 that can be used, 2 are asked for. Cordoned: GPU-2 (Xid 79).",
      testNode(1, { gpus: [testGpu(1), testGpu(2, { isUsable: false, evidence: "Xid 79" })] }),
      { count: 2, model: "H100" },
    ],
    [
      "gpu_taken",
      "Node node-1 has 2 GPUs of model H100 free, 4 are asked for.",
      testNode(1, { gpus: [1, 2, 3, 4].map((id) => testGpu(id, { takenSlots: id < 3 ? [0] : [] })) }),
      { count: 4, model: "H100" },
    ],
    [
      "gpu_taken",
      "Node node-1 has no shared GPUs with at least 8 GiB of memory and a slot free, 1 is asked for.",
      testNode(1, { gpus: [testGpu(1, { kind: "shared", slotCount: 4, takenSlots: [0], takenMib: 80_000 })] }),
      { count: 1, share: "shared", memoryMib: 8192 },
    ],
  ])("says %s: %s", (code, message, node, gpus) => {
    expect(rejectionOf(node, forGpus(gpus))).toEqual({ node: "node-1", code, message });
  });

  it("takes the label of the node for the class, and the model's name where there is none", () => {
    const labelled = testNode(1, { labels: { "gpu-class": "Big" }, gpus: [testGpu(1)] });
    expect(rejectionOf(labelled, forGpus({ count: 1, class: "big" }))).toBeUndefined();
    expect(rejectionOf(labelled, forGpus({ count: 1, class: "h100" }))?.code).toBe("gpu_class");
    expect(rejectionOf(testNode(1, { gpus: [testGpu(1)] }), forGpus({ count: 1, class: "h100" }))).toBeUndefined();
  });
});

describe("explainPlacement", () => {
  it("tells of every node that cannot, and of no other", () => {
    const nodes = [testNode(1, { state: "lost" }), testNode(2), testNode(3, { taints: ["gpu"] })];
    const rejections = explainPlacement(nodes, anyRequest);
    expect(rejections.map(({ node, code }) => [node, code])).toEqual([
      ["node-1", "node_lost"],
      ["node-3", "taint"],
    ]);
  });
});

function forGpus(gpus: Partial<GpuRequest> & { count: number }, rest: Partial<PlacementRequest> = {}) {
  return testRequest({ ...rest, gpus: { share: "whole", ...gpus } });
}
