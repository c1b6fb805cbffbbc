import { describe, expect, it } from "vitest";
import type { GpuRequest, Port } from "../environment/declaration.ts";
import { createPlacer } from "./choose.ts";
import type { PlacementNode } from "./node.ts";
import type { NoPlacement, Placement } from "./request.ts";
import { testGpu, testNode, testRequest } from "./testing.ts";

const oneGpu: GpuRequest = { count: 1, share: "whole" };

describe("place", () => {
  it("fills a node before it opens the next (binpack)", () => {
    const placer = createPlacer([1, 2, 3].map((id) => withGpus(id, 2)));
    const request = testRequest({ gpus: oneGpu });
    const placed = Array.from({ length: 6 }, () => placer.place(request));
    expect(placed.map(nodeOf)).toEqual([1, 1, 2, 2, 3, 3]);
    expect(codesOf(placer.place(request))).toEqual(["gpu_taken", "gpu_taken", "gpu_taken"]);
  });

  it("goes to the fullest node by what was promised before the round", () => {
    const nodes = [testNode(1), testNode(2, { cpuUsed: 4000 }), testNode(3, { memoryUsed: 2 ** 30 })];
    expect(nodeOf(createPlacer(nodes).place(testRequest({ cpuMillicores: 1000 })))).toBe(2);
    expect(nodeOf(createPlacer(nodes).place(testRequest({ cpuMillicores: 5000 })))).toBe(3);
  });

  it("spreads those of one kind over nodes, counting those that run already", () => {
    const placer = createPlacer([testNode(1, { kinds: new Map([["web", 1]]) }), testNode(2), testNode(3)]);
    const web = testRequest({ kind: "web", cpuMillicores: 100, constraints: { strategy: "spread" } });
    expect(nodeOf(placer.place(web))).toBe(2);
    expect(nodeOf(placer.place(web))).toBe(3);
    expect(new Set(Array.from({ length: 3 }, () => nodeOf(placer.place(web))))).toEqual(new Set([1, 2, 3]));
  });

  it("spreads to the node with the most room", () => {
    const placer = createPlacer([testNode(1, { cpuUsed: 1000 }), testNode(2, { cpuUsed: 500 })]);
    expect(nodeOf(placer.place(testRequest({ constraints: { strategy: "spread" } })))).toBe(2);
  });

  it("prefers nodes that hold the image, and more so those that hold the model files", () => {
    const withImage = testNode(2, { images: new Set(["vllm:1", "vllm@sha256:0a"]) });
    const nodes = [testNode(1, { cpuUsed: 4000 }), withImage, testNode(3, { models: new Set(["qwen"]) })];
    const place = (image: string, models: string[]) =>
      nodeOf(createPlacer(nodes).place(testRequest({ image, constraints: { models } })));
    expect(place("vllm:1", [])).toBe(2);
    expect(place("vllm:1@sha256:0a", [])).toBe(2);
    expect(place("vllm:2", [])).toBe(1);
    expect(place("vllm:1", ["qwen"])).toBe(3);
  });

  it("keeps nodes with GPUs for those who ask for GPUs", () => {
    const placer = createPlacer([withGpus(1, 1), testNode(2)]);
    expect(nodeOf(placer.place(testRequest()))).toBe(2);
  });

  it("settles ties by name", () => {
    const nodes = [testNode(1, { name: "b" }), testNode(2, { name: "a" })];
    expect(nodeOf(createPlacer(nodes).place(testRequest()))).toBe(2);
    expect(nodeOf(createPlacer(nodes.toReversed()).place(testRequest()))).toBe(2);
  });

  it("does not touch the nodes that it was given", () => {
    const node = withGpus(1, 1);
    const before = structuredClone(node);
    const port: Port = { containerPort: 1, hostPort: 1, hostIp: "127.0.0.1", protocol: "tcp" };
    createPlacer([node]).place(testRequest({ gpus: oneGpu, class: "gpu", cpuMillicores: 1, ports: [port] }));
    expect(node).toEqual(before);
  });

  it("answers again with a smaller request after a larger one of its sort has failed", () => {
    const placer = createPlacer([testNode(1)]);
    expect(codesOf(placer.place(testRequest({ cpuMillicores: 9000 })))).toEqual(["cpu"]);
    expect(codesOf(placer.place(testRequest({ cpuMillicores: 9000 })))).toEqual(["cpu"]);
    expect(nodeOf(placer.place(testRequest({ cpuMillicores: 8000 })))).toBe(1);
  });
});

describe("placeGang", () => {
  it("places all members, in their order, over several nodes", () => {
    const placer = createPlacer([withGpus(1, 4), withGpus(2, 2)]);
    const members = [oneGpu, { ...oneGpu, count: 4 }].map((gpus) => testRequest({ gpus }));
    const placed = placer.placeGang(members);
    expect(placed).toMatchObject([{ nodeId: 2, gpus: [{ gpuId: 200 }] }, { nodeId: 1 }]);
  });

  it("leaves everything free where one finds no room, and says what it lacked", () => {
    const placer = createPlacer([withGpus(1, 2), testNode(2)]);
    const request = testRequest({ gpus: oneGpu });
    const failed = placer.placeGang([request, request, request]);
    expect(rejectionsOf(failed)[0]).toEqual({
      node: "node-1",
      code: "gpu_taken",
      message: "Node node-1 has no GPUs free, 1 is asked for. 2 of the gang's 3 members had found room before.",
    });
    expect(rejectionsOf(failed)[1]?.code).toBe("gpu_missing");
    expect(placer.placeGang([request, request])).toHaveLength(2);
    expect(rejectionsOf(failed)).toHaveLength(2);
  });

  it("lets those who can go anywhere go last", () => {
    const placer = createPlacer([
      testNode(1, { gpus: [testGpu(1, { model: "H100" })] }),
      testNode(2, { gpus: [testGpu(2, { model: "A100" })] }),
    ]);
    const members = [testRequest({ gpus: oneGpu }), testRequest({ gpus: { ...oneGpu, model: "H100" } })];
    expect(placer.placeGang(members)).toMatchObject([{ nodeId: 2 }, { nodeId: 1 }]);
  });
});

describe("placeTogether", () => {
  const services = [testRequest({ cpuMillicores: 2000 }), testRequest({ cpuMillicores: 3000, gpus: oneGpu })];

  it("places all on the one node that has room for all of them", () => {
    const nodes = [withGpus(1, 1, { cpuUsed: 4000 }), testNode(2), withGpus(3, 1, { cpuUsed: 3000 })];
    expect(createPlacer(nodes).placeTogether(services)).toMatchObject([{ nodeId: 3 }, { nodeId: 3 }]);
  });

  it("says of each node which of them found no room, and leaves no trace", () => {
    const placer = createPlacer([withGpus(1, 1, { cpuUsed: 4000 }), testNode(2)]);
    const rejections = rejectionsOf(placer.placeTogether(services));
    expect(rejections.map(({ code }) => code)).toEqual(["cpu", "gpu_missing"]);
    expect(rejections[0]?.message).toBe(
      "Node node-1 has 1 of 8 CPUs free, 2 asked for. 1 of the 2 that must run on one node had found room before.",
    );
    expect(nodeOf(placer.place(testRequest({ cpuMillicores: 4000, gpus: oneGpu })))).toBe(1);
  });

  it("follows those that are there already", () => {
    const placer = createPlacer([testNode(1, { cpuUsed: 7000 }), testNode(2)]);
    expect(placer.placeTogether([testRequest()], 2)).toMatchObject([{ nodeId: 2 }]);
    const rejections = rejectionsOf(placer.placeTogether([testRequest({ cpuMillicores: 2000 })], 1));
    expect(rejections.map(({ code }) => code)).toEqual(["cpu", "other_environment_node"]);
    expect(rejectionsOf(placer.placeTogether([testRequest()], 9))[0]?.message).toBe(
      "Node node-1 cannot reach the rest of the environment, which runs on a node that has gone.",
    );
  });
});

function withGpus(id: number, count: number, differences: Partial<PlacementNode> = {}): PlacementNode {
  return testNode(id, { gpus: Array.from({ length: count }, (_, index) => testGpu(id * 100 + index)), ...differences });
}

function nodeOf(answer: Placement | NoPlacement): number | undefined {
  return "rejections" in answer ? undefined : answer.nodeId;
}

function codesOf(answer: Placement | NoPlacement): string[] {
  return rejectionsOf(answer).map(({ code }) => code);
}

function rejectionsOf(answer: Placement | Placement[] | NoPlacement) {
  return "rejections" in answer ? answer.rejections() : [];
}
