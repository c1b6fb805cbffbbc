import fc from "fast-check";
import type { GpuRequest, Port } from "../environment/declaration.ts";
import type { PlacementGpu, PlacementNode } from "./node.ts";
import type { PlacementRequest } from "./request.ts";
import { testGpu, testNode, testRequest } from "./testing.ts";

// Most of what is generated is free and asks for little, so that rounds fill nodes instead of failing at once.

const gpuKind = fc.oneof(
  fc.record({ kind: fc.constant("whole" as const), takenSlots: mostly<number[]>([], [0]) }),
  fc.record({
    kind: fc.constant("mig" as const),
    profile: fc.constantFrom("1g.10gb", "3g.40gb"),
    takenSlots: mostly<number[]>([], [0]),
  }),
  fc.record({
    kind: fc.constant("shared" as const),
    slotCount: fc.integer({ min: 1, max: 4 }),
    takenSlots: mostly<number[]>([], [0], [1, 3]),
    takenMib: mostly(0, 10, 20),
  }),
);
const gpuOf: fc.Arbitrary<Partial<PlacementGpu>> = fc
  .tuple(
    gpuKind,
    fc.record({
      model: fc.constantFrom("NVIDIA H100 80GB", "NVIDIA A100-SXM4"),
      memoryMib: fc.constantFrom(24, 40, 80),
      isUsable: mostly(true, false),
    }),
  )
  .map(([kind, rest]) => ({ ...rest, ...kind }));

/** A few nodes, some busy, some closed, with GPUs of all kinds. */
export const nodesOf: fc.Arbitrary<PlacementNode[]> = fc
  .array(
    fc.record({
      state: mostly<PlacementNode["state"]>("ready", "draining", "lost"),
      isCordoned: mostly(false, true),
      labels: mostly<Record<string, string>>({}, { zone: "eu" }, { zone: "us", spot: "" }, { "gpu-class": "big" }),
      taints: mostly<string[]>([], ["gpu"], ["gpu", "lab"]),
      executors: mostly<string[]>(["docker", "process"], ["docker"], []),
      slots: mostly<Record<string, number>>({ gpu: 3, cpu: 2 }, { gpu: 0 }, { gpu: 1 }, {}),
      cpuMillicores: fc.constantFrom(1000, 4000),
      cpuUsed: mostly(0, 500, 5000),
      memoryBytes: fc.constantFrom(100, 200),
      memoryUsed: mostly(0, 50, 100),
      gpus: fc.array(gpuOf, { minLength: 1, maxLength: 6, size: "max" }),
      images: fc.subarray(["a", "b"]).map((names) => new Set(names)),
      models: fc.subarray(["m"]).map((names) => new Set(names)),
      hostPorts: mostly<string[]>([], ["127.0.0.1:80/tcp"], ["0.0.0.0:8080/tcp"]).map(
        (ports) => new Map(ports.map((port) => [port, ""])),
      ),
      kinds: mostly(new Map<string, number>(), new Map([["web", 2]])),
    }),
    { minLength: 1, maxLength: 4, size: "max" },
  )
  .map((nodes) =>
    nodes.map((node, index) => {
      const gpus = node.gpus.map((gpu, number) => testGpu(index * 10 + number, gpu));
      return testNode(index, { ...node, gpus });
    }),
  );

const gpuRequestOf: fc.Arbitrary<GpuRequest> = fc
  .tuple(
    fc.record({ count: mostly(1, 2, 3), share: fc.constantFrom<GpuRequest["share"]>("whole", "mig", "shared") }),
    mostly<Partial<GpuRequest>>(
      {},
      { model: "h100" },
      { class: "big" },
      { class: "A100" },
      { profile: "1g.10gb" },
      { model: "nvidia", memoryMib: 30 },
    ),
    mostly<Partial<GpuRequest>>({ memoryMib: 10 }, {}, { memoryMib: 20 }),
  )
  .map(([asked, conditions, memory]) => ({ ...memory, ...asked, ...conditions }));

const portOf: fc.Arbitrary<Port> = fc.record({
  containerPort: fc.constant(80),
  hostPort: fc.constantFrom(80, 8080),
  hostIp: fc.constantFrom("0.0.0.0", "127.0.0.1", "10.0.0.1", "::"),
  protocol: fc.constantFrom("tcp", "udp"),
});

/** A request that asks for little, or for GPUs, or for what only some nodes have. */
export const requestOf: fc.Arbitrary<PlacementRequest> = fc
  .record({
    kind: fc.constantFrom("web", "worker"),
    executor: mostly<PlacementRequest["executor"]>("docker", "process"),
    cpuMillicores: fc.constantFrom(0, 0, 250, 1000),
    memoryBytes: fc.constantFrom(0, 0, 20, 60),
    rest: mostly<Partial<PlacementRequest>>({}, { class: "gpu" }, { class: "cpu", image: "a" }, { image: "b" }),
    gpus: fc.oneof(
      fc.constant({}),
      gpuRequestOf.map((gpus) => ({ gpus })),
    ),
    ports: fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: fc.tuple(portOf) }),
    constraints: fc
      .record({
        strategy: fc.constantFrom("binpack" as const, "spread" as const),
        tolerates: mostly<string[]>(["*"], ["gpu"], []),
        rule: mostly({}, { node: "node-0" }, { labels: { zone: "" } }, { labels: { zone: "eu" } }, { models: ["m"] }),
        notLabels: mostly<Record<string, string>>({}, { zone: "" }, { zone: "us" }),
      })
      .map(({ rule, ...rest }) => ({ ...rest, ...rule })),
  })
  .map(({ rest, gpus, ...request }) => testRequest({ ...request, ...rest, ...gpus }));

/** The usual value five times in six, and else one of the others. */
function mostly<Value>(usual: Value, ...others: NoInfer<Value>[]): fc.Arbitrary<Value> {
  return fc.oneof(
    { weight: 5, arbitrary: fc.constant(usual) },
    { weight: 1, arbitrary: fc.constantFrom<Value[]>(...others) },
  );
}
