import fc from "fast-check";
import type { Port } from "../environment/declaration.ts";
import type { PlacementNode } from "./node.ts";
import type { PlacementRequest } from "./request.ts";
import { testGpu, testNode, testRequest } from "./testing.ts";

const ipOf = fc.constantFrom("0.0.0.0", "127.0.0.1", "10.0.0.1", "::");
const portOf: fc.Arbitrary<Port> = fc.record({
  containerPort: fc.constant(80),
  hostPort: fc.constantFrom(80, 8080),
  hostIp: ipOf,
  protocol: fc.constantFrom("tcp", "udp"),
});
const labelsOf = fc.dictionary(fc.constantFrom("zone", "spot"), fc.constantFrom("eu", "us"), { maxKeys: 2 });
const wantedOf = fc.dictionary(fc.constantFrom("zone", "spot"), fc.constantFrom("eu", "us", ""), { maxKeys: 1 });
const seldom = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: undefined, freq: 3 });
const modelOf = fc.constantFrom("NVIDIA H100 80GB", "NVIDIA A100-SXM4", "AMD Instinct MI300X");

const gpuOf = fc.oneof(
  fc.record({ kind: fc.constant("whole" as const), takenSlots: fc.subarray([0], { maxLength: 1 }) }),
  fc.record({
    kind: fc.constant("mig" as const),
    profile: fc.constantFrom("1g.10gb", "3g.40gb"),
    takenSlots: fc.subarray([0], { maxLength: 1 }),
  }),
  fc.record({
    kind: fc.constant("shared" as const),
    slotCount: fc.integer({ min: 1, max: 3 }),
    takenSlots: fc.subarray([0, 1, 2, 3], { maxLength: 2 }),
    takenMib: fc.constantFrom(0, 0, 10, 20),
  }),
);
/** A few nodes, some busy, some closed, with GPUs of all kinds. */
export const nodesOf: fc.Arbitrary<PlacementNode[]> = fc
  .array(
    fc.record({
      state: fc.constantFrom(
        "ready" as const,
        "ready" as const,
        "ready" as const,
        "draining" as const,
        "lost" as const,
      ),
      isCordoned: fc.constantFrom(false, false, false, false, true),
      labels: fc.oneof(labelsOf, labelsOf, fc.constant({ "gpu-class": "big" })),
      taints: fc.subarray(["gpu", "lab"], { maxLength: 1 }),
      executors: fc.subarray(["docker", "process"], { minLength: 1 }),
      slots: fc.dictionary(fc.constantFrom("gpu", "cpu"), fc.integer({ min: 0, max: 4 })),
      cpuMillicores: fc.constantFrom(1000, 4000),
      cpuUsed: fc.constantFrom(0, 0, 500, 5000),
      memoryBytes: fc.constantFrom(100, 200),
      memoryUsed: fc.constantFrom(0, 50, 100),
      gpus: fc.array(
        fc.tuple(
          gpuOf,
          fc.record({
            model: modelOf,
            memoryMib: fc.constantFrom(24, 40, 80),
            isUsable: fc.constantFrom(true, true, true, false),
          }),
        ),
        { maxLength: 5 },
      ),
      images: fc.subarray(["a", "b"]).map((names) => new Set(names)),
      models: fc.subarray(["m"]).map((names) => new Set(names)),
      hostPorts: seldom(fc.constantFrom("127.0.0.1:80/tcp", "0.0.0.0:8080/tcp")).map(
        (port) => new Set(port === undefined ? [] : [port]),
      ),
      kinds: fc.constantFrom(new Map<string, number>(), new Map([["web", 2]])),
    }),
    { minLength: 1, maxLength: 5 },
  )
  .map((nodes) =>
    nodes.map((node, index) => {
      const gpus = node.gpus.map(([kind, rest], number) => testGpu(index * 10 + number, { ...rest, ...kind }));
      return testNode(index, { ...node, gpus });
    }),
  );

const gpuRequestOf = fc
  .record({
    count: fc.integer({ min: 1, max: 3 }),
    share: fc.constantFrom("whole" as const, "whole" as const, "mig" as const, "shared" as const),
    model: seldom(fc.constantFrom("h100", "A100", "nvidia")),
    class: seldom(fc.constantFrom("big", "h100")),
    memoryMib: seldom(fc.constantFrom(10, 30, 60)),
    profile: seldom(fc.constant("1g.10gb")),
  })
  .map(withoutUndefined);
/** A request that asks for little, or for GPUs, or for what only some nodes have. */
export const requestOf: fc.Arbitrary<PlacementRequest> = fc
  .record({
    kind: fc.constantFrom("web", "worker"),
    executor: fc.constantFrom("docker" as const, "docker" as const, "process" as const),
    class: seldom(fc.constantFrom("gpu", "cpu", "other")),
    cpuMillicores: fc.constantFrom(0, 0, 250, 1000),
    memoryBytes: fc.constantFrom(0, 0, 20, 60),
    gpus: fc.option(gpuRequestOf, { nil: undefined }),
    image: seldom(fc.constantFrom("a", "b")),
    ports: seldom(portOf).map((port) => (port === undefined ? [] : [port])),
    constraints: fc
      .record({
        node: fc.option(fc.constantFrom("node-0", "node-1"), { nil: undefined, freq: 1 }),
        labels: fc.oneof(fc.constant({}), fc.constant({}), wantedOf),
        notLabels: fc.oneof(fc.constant({}), fc.constant({}), wantedOf),
        tolerates: fc.constantFrom<string[]>(["*"], ["*"], ["gpu"], []),
        strategy: fc.constantFrom("binpack" as const, "spread" as const),
        models: fc.subarray(["m"]),
      })
      .map(withoutUndefined),
  })
  .map((request) => testRequest(withoutUndefined(request)));

type Defined<Value> = { [Key in keyof Value as undefined extends Value[Key] ? never : Key]: Value[Key] } & {
  [Key in keyof Value as undefined extends Value[Key] ? Key : never]?: Exclude<Value[Key], undefined>;
};

function withoutUndefined<Value extends object>(value: Value): Defined<Value> {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as Defined<Value>;
}
