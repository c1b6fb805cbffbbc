import type {
  Constraints,
  DriftPolicy,
  RestartPolicy,
  Service,
  UpdatePolicy,
} from "@drover/domain/environment/declaration";
import type { RawService } from "./service-shape.ts";
import { present } from "./present.ts";

/** What the environment says for services that do not say it themselves. */
export interface General {
  network: string;
  drift?: DriftPolicy;
}

/** A service with everything that it does not say itself. */
export function compileService(name: string, raw: RawService, general: General): Service {
  const unique = (placed: { value: string }[] = []) => [...new Set(placed.map(({ value }) => value))];
  const networks = unique(raw.networks);
  return present<Service>({
    name,
    // An image that is not there or broken has been reported.
    image: raw.image ?? "",
    pull: raw.pull ?? "missing",
    command: raw.command,
    entrypoint: raw.entrypoint,
    env: Object.fromEntries(raw.env ?? []),
    ports: (raw.ports ?? []).map(({ value }) => value),
    mounts: (raw.mounts ?? []).map(({ value }) => value),
    networks: networks.length === 0 ? [general.network] : networks,
    dependsOn: unique(raw.dependsOn),
    health: raw.health,
    isRequired: raw.required ?? true,
    restart: restartOf(raw.restart),
    resources: raw.resources ?? {},
    replicas: raw.replicas ?? 1,
    placement: placementOf(raw.placement),
    update: updateOf(raw.update),
    onDisconnect: raw.onDisconnect ?? { kind: "keep" },
    stopGraceSeconds: Math.ceil(raw.stopGrace ?? 10),
    user: raw.user,
    workingDir: raw.workingDir,
    isReadOnlyRoot: raw.readOnlyRoot ?? false,
    hasInit: raw.init,
    drift: raw.drift ?? general.drift,
    labels: raw.labels ?? {},
  });
}

function restartOf({ when, maxRestarts, baseDelay, maxDelay }: RawService["restart"] & object = {}): RestartPolicy {
  return present<RestartPolicy>({
    when: when ?? "always",
    maxRestarts,
    // A longer first delay lengthens the longest, and the other way round, where only one of them is said.
    baseDelaySeconds: baseDelay ?? Math.min(0.5, maxDelay ?? 0.5),
    maxDelaySeconds: maxDelay ?? Math.max(30, baseDelay ?? 30),
  });
}

function placementOf({ node, ...said }: RawService["placement"] & object = {}): Constraints {
  return present<Constraints>({
    node,
    labels: said.labels ?? {},
    notLabels: said.notLabels ?? {},
    tolerates: said.tolerates ?? [],
    strategy: said.strategy ?? "binpack",
    models: said.models ?? [],
  });
}

function updateOf({ maxUnavailable, healthy, onFailure }: RawService["update"] & object = {}): UpdatePolicy {
  return {
    maxUnavailable: maxUnavailable ?? 1,
    healthySeconds: healthy ?? 5,
    onFailure: onFailure ?? "pause",
  };
}
