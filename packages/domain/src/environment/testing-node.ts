import type { HealthCheck, RestartPolicy } from "./declaration.ts";
import { type ReconcileInput, reconcile } from "./reconcile.ts";
import { type DesiredReplica, type FoundContainer, type Health, type ReplicaMemory, runKey } from "./replica-memory.ts";

export const restart: RestartPolicy = { when: "always", baseDelaySeconds: 1, maxDelaySeconds: 30 };
export const check: HealthCheck = {
  probe: { kind: "tcp", port: 80 },
  intervalSeconds: 10,
  timeoutSeconds: 1,
  retries: 3,
  startSeconds: 20,
};

export interface Overrides extends Partial<Omit<DesiredReplica, "spec">> {
  dependsOn?: string[];
  health?: HealthCheck;
  restart?: RestartPolicy;
}

/** A replica that is wanted. */
export function want({ dependsOn = [], health, restart: policy = restart, ...rest }: Overrides = {}): DesiredReplica {
  return {
    id: "1",
    namespace: "default",
    environment: "shop",
    service: "web",
    number: 1,
    specHash: "a",
    round: 0,
    wanted: "running",
    gpus: null,
    unmet: null,
    spec: { service: { image: "web:1", dependsOn, restart: policy, ...(health && { health }) } },
    ...rest,
  };
}

/** A container that runs. */
export function find(rest: Partial<FoundContainer> = {}): FoundContainer {
  return {
    id: "c1",
    replicaId: "1",
    specHash: "a",
    round: 0,
    gpus: [],
    state: "running",
    startedAt: "t1",
    drift: [],
    ...rest,
  };
}

export const healthy: Health = { isHealthy: true, hasBeenHealthy: true, failuresInRow: 0, message: "" };
export const failing = (failuresInRow: number, hasBeenHealthy: boolean): Health => ({
  isHealthy: false,
  hasBeenHealthy,
  failuresInRow,
  message: "refused",
});

/** A node that remembers what the last look said, as the agent does. */
export function createTestNode(desired: DesiredReplica[]) {
  let memories = new Map<string, ReplicaMemory>();
  const look = (found: FoundContainer[], nowMs: number, rest: Partial<ReconcileInput> & { probe?: Health } = {}) => {
    const { probe, ...input } = rest;
    const health = new Map(probe && found.map((one) => [runKey(one), probe]));
    const answer = reconcile({
      desired,
      found,
      memories,
      health,
      busy: new Set(),
      freeStarts: 5,
      unmendable: new Set(),
      drift: "converge",
      nowMs,
      ...input,
    });
    memories = new Map(answer.steps.map((step) => [step.desired.id, step.memory]));
    return {
      actions: answer.steps.flatMap(({ action }) => action ?? []),
      strays: answer.strays,
      wakeAtMs: answer.wakeAtMs,
      states: answer.steps.map(({ status }) => status?.state),
      messages: answer.steps.map(({ status }) => status?.message),
      status: answer.steps[0]?.status,
    };
  };
  const remember = (change: (memory: ReplicaMemory) => ReplicaMemory) =>
    void (memories = new Map([...memories].map(([id, memory]) => [id, change(memory)])));
  const hasImage = () => remember((memory) => ({ ...memory, hasImage: true }));
  return { look, hasImage, remember };
}
