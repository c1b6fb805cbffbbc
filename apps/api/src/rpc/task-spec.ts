import { toJson } from "@bufbuild/protobuf";
import { type Duration, ValueSchema } from "@bufbuild/protobuf/wkt";
import type { Execution, ExecutorName } from "@drover/domain/execution";
import type { RetryStrategy } from "@drover/domain/retry";
import {
  type Constraints as ConstraintsMessage,
  type DisconnectPolicy as DisconnectMessage,
  DisconnectPolicy_Kind,
  type Execution as ExecutionMessage,
  Executor,
  GpuShare,
  type TaskSpec,
} from "@drover/proto/drover/task";
import type { Constraints, DisconnectPolicy } from "@drover/domain/environment/declaration";
import type { TaskDraft } from "../operation/task-draft.ts";

/** A drover.v1 task specification as a draft. */
export function draftOf(spec: TaskSpec): TaskDraft {
  return {
    id: spec.id,
    idempotencyKey: spec.idempotencyKey,
    class: spec.class || "cpu_short",
    type: spec.type,
    payload: spec.payload === undefined ? null : toJson(ValueSchema, spec.payload),
    execution: spec.execution && executionOf(spec.execution),
    priority: spec.priority,
    delayMs: spec.delay && millis(spec.delay),
    timeoutSeconds: spec.timeout && Math.max(1, Math.ceil(millis(spec.timeout) / 1000)),
    retry: spec.retry && {
      ...(spec.retry.maxAttempts > 0 && { maxAttempts: spec.retry.maxAttempts }),
      ...(spec.retry.baseDelay && { baseDelayMs: millis(spec.retry.baseDelay) }),
      ...(spec.retry.maxDelay && { maxDelayMs: millis(spec.retry.maxDelay) }),
      ...(spec.retry.noRetryOn.length > 0 && { noRetryOn: spec.retry.noRetryOn }),
      ...(spec.retry.strategy !== "" && { strategy: spec.retry.strategy as RetryStrategy }),
      ...(spec.retry.factor > 0 && { factor: spec.retry.factor }),
      ...(spec.retry.withoutJitter && { hasJitter: false }),
      ...(spec.retry.retryOn.length > 0 && { retryOn: spec.retry.retryOn }),
    },
    labels: spec.labels,
  };
}

export function millis(duration: Duration): number {
  return Number(duration.seconds) * 1000 + Math.round(duration.nanos / 1_000_000);
}

function executionOf(message: ExecutionMessage): Execution & { executor?: ExecutorName } {
  const { resources, artifacts } = message;
  return {
    ...(message.executor === Executor.PROCESS && { executor: "process" as const }),
    ...(message.executor === Executor.DOCKER && { executor: "docker" as const }),
    ...(message.image !== "" && { image: message.image }),
    command: message.command,
    ...(Object.keys(message.env).length > 0 && { env: message.env }),
    ...(message.mounts.length > 0 && {
      mounts: message.mounts.map(({ hostPath, mountPath, readOnly }) => ({ hostPath, mountPath, readOnly })),
    }),
    ...(resources && {
      resources: {
        ...(resources.cpuMillicores > 0 && { cpuMillicores: resources.cpuMillicores }),
        ...(resources.memoryBytes > 0n && { memoryBytes: Number(resources.memoryBytes) }),
        ...(resources.pids > 0 && { pids: resources.pids }),
        ...(resources.gpuCount > 0 && { gpuCount: resources.gpuCount }),
        ...(resources.gpuClass !== "" && { gpuClass: resources.gpuClass }),
        ...(resources.gpuModel !== "" && { gpuModel: resources.gpuModel }),
        ...(resources.gpuShare === GpuShare.MIG && { gpuShare: "mig" as const }),
        ...(resources.gpuShare === GpuShare.SHARED && { gpuShare: "shared" as const }),
        ...(resources.gpuProfile !== "" && { gpuProfile: resources.gpuProfile }),
        ...(resources.gpuMemoryMib > 0 && { gpuMemoryMib: resources.gpuMemoryMib }),
        ...(resources.gpuMemoryGb > 0 && { gpuMemoryGb: resources.gpuMemoryGb }),
        ...(resources.storageGb > 0 && { storageGb: resources.storageGb }),
      },
    }),
    ...(message.workingDir !== "" && { workingDir: message.workingDir }),
    ...(artifacts && {
      artifacts: {
        inputs: artifacts.inputs,
        outputs: artifacts.outputs.map(({ path, type, name }) => ({
          path,
          ...(type !== "" && { type }),
          ...(name !== "" && { name }),
        })),
      },
    }),
    ...(message.readOnlyRoot && { readOnlyRoot: true }),
    ...(message.network !== "" && message.network !== "none" && { network: message.network }),
    ...(message.placement && { placement: constraintsOf(message.placement) }),
    ...(message.gang && { gang: { name: message.gang.name, size: message.gang.size } }),
    ...(message.onDisconnect && { onDisconnect: disconnectOf(message.onDisconnect) }),
  };
}

/** Only what was said, so that a repeat of the same request stays the same. */
function constraintsOf(message: ConstraintsMessage): Partial<Constraints> {
  return {
    ...(message.node !== "" && { node: message.node }),
    ...(Object.keys(message.labels).length > 0 && { labels: message.labels }),
    ...(Object.keys(message.notLabels).length > 0 && { notLabels: message.notLabels }),
    ...(message.tolerates.length > 0 && { tolerates: message.tolerates }),
    ...(message.spread && { strategy: "spread" as const }),
    ...(message.models.length > 0 && { models: message.models }),
  };
}

function disconnectOf({ kind, afterSeconds }: DisconnectMessage): DisconnectPolicy {
  const name =
    kind === DisconnectPolicy_Kind.KEEP ? "keep" : kind === DisconnectPolicy_Kind.REPLACE ? "replace" : "stop";
  return { kind: name, ...(afterSeconds > 0 && { afterSeconds }) };
}
