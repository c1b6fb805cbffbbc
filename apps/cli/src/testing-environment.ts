import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type Environment, EnvironmentSchema, EnvironmentState, ReplicaState } from "@drover/proto/drover/environment";

/** An environment that is right, as it is written. */
export const goodSource = "drover: environment/v1\nname: shop\nservices:\n  redis: { image: redis:7 }\n";

const { RUNNING, FAILED } = ReplicaState;

/** Redis as it is, and a page that is not required. */
export function shop(redis: ReplicaState, more: MessageInitShape<typeof EnvironmentSchema> = {}): Environment {
  const message = redis === FAILED ? "It ended with exit code 1." : "";
  const replica = { number: 1, state: redis, message, node: "n1", containerId: "c1", restarts: 2 };
  const isRunning = redis === RUNNING;
  return create(EnvironmentSchema, {
    name: "shop",
    generation: 3,
    state: isRunning
      ? EnvironmentState.READY
      : redis === FAILED
        ? EnvironmentState.FAILED
        : EnvironmentState.CONVERGING,
    message: isRunning ? "All 2 services run." : "Not everything runs yet. redis: It starts.",
    source: goodSource,
    updatedAt: timestampFromMs(Date.now() - 60_000),
    services: [
      {
        name: "redis",
        image: "redis:7",
        required: true,
        state: redis,
        message,
        replicas: 1,
        running: isRunning ? 1 : 0,
        instances: [
          { ...replica, ports: [{ hostIp: "127.0.0.1", hostPort: 6379, containerPort: 6379, protocol: "tcp" }] },
        ],
      },
      {
        name: "page",
        image: "page:1",
        state: RUNNING,
        replicas: 2,
        running: 2,
        instances: [2, 1].map((number) => ({ number, state: RUNNING, node: "n1" })),
      },
    ],
    ...more,
  });
}

/** A server that tells of an environment as it becomes this and that, and then ends. */
export function watching(...states: Environment[]) {
  return {
    async *watchEnvironment() {
      for (const environment of states) yield { environment };
    },
  };
}

/** A plan that has a step of each kind. */
export const everyStep = [
  { action: "create", service: "redis", changes: ["image: redis:7"], nodes: ["n1", "n2", "n1"] },
  { action: "replace", service: "page", changes: ["image: page:1 -> page:2"] },
  {
    action: "scale",
    service: "ranker",
    changes: ["replicas: 1 -> 2"],
    rejections: [{ node: "n1", code: "gpu_taken", message: "Its GPU is taken." }],
  },
  { action: "remove", service: "old" },
  { action: "keep", service: "kept" },
];
