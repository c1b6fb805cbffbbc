import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { GenerationRow } from "@drover/db/query/environment";
import type { Fault as SourceFault } from "@drover/document/source/fault";
import type { EnvironmentState as StateName } from "@drover/domain/environment/lifecycle";
import type { SeenState } from "@drover/domain/environment/status";
import {
  type Environment,
  EnvironmentSchema,
  EnvironmentState,
  type Generation,
  GenerationSchema,
  type Replica,
  ReplicaSchema,
  ReplicaState,
  type Service,
  ServiceSchema,
} from "@drover/proto/drover/environment";
import { type Fault, FaultSchema } from "@drover/proto/drover/workflow";
import type { SeenEnvironment, SeenReplica, SeenService } from "../operation/view-environment.ts";

/** An environment; lists leave out its services and its source. */
export function environmentMessage(seen: SeenEnvironment, { isWhole = true } = {}): Environment {
  const { row, state, message, services } = seen;
  return create(EnvironmentSchema, {
    name: row.name,
    namespace: row.namespace,
    generation: row.generation,
    state: environmentStates[state],
    message,
    services: isWhole ? services.map((service) => serviceMessage(service)) : [],
    source: isWhole ? row.source : "",
    createdAt: timestampFromDate(row.created_at),
    updatedAt: timestampFromDate(row.updated_at),
    pausedReason: row.paused_reason ?? "",
  });
}

/** A generation as it was applied. */
export function generationMessage(row: GenerationRow): Generation {
  return create(GenerationSchema, {
    generation: row.generation,
    copyOf: row.copy_of ?? 0,
    source: row.source,
    actor: row.actor,
    createdAt: timestampFromDate(row.created_at),
  });
}

/** A fault of a source, with its place. */
export function faultMessage({ message, hint = "", line, column, path }: SourceFault): Fault {
  return create(FaultSchema, { message, hint, line, column, path });
}

function serviceMessage({ view, declared, replicas }: SeenService): Service {
  return create(ServiceSchema, {
    name: view.name,
    image: declared?.image ?? "",
    required: view.isRequired,
    dependsOn: declared?.dependsOn ?? [],
    state: replicaStates[view.state],
    message: view.message,
    replicas: view.replicas,
    running: view.running,
    isStopped: view.isStopped,
    instances: replicas.map(replicaMessage),
  });
}

function replicaMessage({ row, view, rejections }: SeenReplica): Replica {
  return create(ReplicaSchema, {
    number: row.number,
    state: replicaStates[view.state],
    message: view.message,
    node: row.node ?? "",
    containerId: row.container_id ?? "",
    ports: row.ports ?? [],
    ...(row.started_at && { startedAt: timestampFromDate(row.started_at) }),
    restarts: row.restarts ?? 0,
    generation: row.generation,
    ...(row.is_healthy !== null && { isHealthy: row.is_healthy }),
    imageDigest: row.image_digest ?? "",
    progress: row.progress ?? 0,
    gpuUuids: row.gpu_uuids,
    rejections: [...rejections],
  });
}

const environmentStates: Record<StateName, EnvironmentState> = {
  converging: EnvironmentState.CONVERGING,
  ready: EnvironmentState.READY,
  degraded: EnvironmentState.DEGRADED,
  failed: EnvironmentState.FAILED,
  stopped: EnvironmentState.STOPPED,
  deleting: EnvironmentState.DELETING,
};

const replicaStates: Record<SeenState, ReplicaState> = {
  pending: ReplicaState.PENDING,
  starting: ReplicaState.STARTING,
  running: ReplicaState.RUNNING,
  unhealthy: ReplicaState.UNHEALTHY,
  stopping: ReplicaState.STOPPING,
  stopped: ReplicaState.STOPPED,
  failed: ReplicaState.FAILED,
  unknown: ReplicaState.UNKNOWN,
};
