import { hasGivenUp } from "./environment/replica-start.ts";
import type { SeenState } from "./environment/status.ts";

/** The words that env_manager.v1 has for a service. */
export type CompatServiceStatus = "running" | "stopped" | "starting" | "unhealthy" | "failed";

/** The state of a service in these words. */
export function compatServiceStatus(state: SeenState): CompatServiceStatus {
  switch (state) {
    case "pending":
      return "starting";
    case "stopping":
      return "stopped";
    case "unknown":
      return "unhealthy";
    default:
      return state;
  }
}

/** A service as it is now. */
export interface ServiceNow {
  name: string;
  isRequired: boolean;
  dependsOn: readonly string[];
  state: SeenState;
  message: string;
  /** Of its start: 0 to 100. */
  progress: number;
}

/** What a client is told of a start. */
export interface StartUpdate {
  serviceName: string;
  status: CompatServiceStatus;
  message: string;
  progress: number;
}

export interface StartStory {
  /** What is new since the last look; services come in the order in which they start. */
  look(services: readonly ServiceNow[], nowMs: number): StartUpdate[];
  /** Whether everything has been said of all services, or of those that are named. */
  isTold(names?: Iterable<string>): boolean;
  /** Required services that did not come up, each with the reason. */
  failures(): { name: string; message: string }[];
}

export interface StartStoryOptions {
  /** Services that are told of. */
  names: readonly string[];
  /** So long a service has to be down until it counts as failed, unless its node has given up: it tries again by itself. */
  failedMs?: number;
  /** So long it may wait for a node. */
  pendingMs?: number;
}

/**
 * Tells a start from what is seen of it: progress while a service is on its way, and one last update when it runs, has
 * failed, was stopped meanwhile, or can no longer come up because of what it depends on.
 */
export function createStartStory({ names, failedMs = 5_000, pendingMs = 60_000 }: StartStoryOptions): StartStory {
  const last = new Map<string, StartUpdate & { isRequired: boolean }>();
  const faces = new Map<string, string>();
  const troubles = new Map<string, { kind: string; sinceMs: number }>();

  function judge(service: ServiceNow, nowMs: number): { status: CompatServiceStatus; message: string } | undefined {
    const { name, state, message } = service;
    if (state === "running" || state === "stopped") return { status: state, message };
    const broken = service.dependsOn.find((one) => last.get(one)?.status === "failed");
    if (broken !== undefined) return { status: "failed", message: `It waits for ${broken}, which has failed.` };
    const kind = state === "pending" || state === "unknown" ? "away" : state === "starting" ? "" : "down";
    const before = troubles.get(name);
    if (before?.kind !== kind) troubles.set(name, { kind, sinceMs: nowMs });
    const forMs = before?.kind === kind ? nowMs - before.sinceMs : 0;
    if (kind === "away" && forMs >= pendingMs) return { status: "failed", message };
    if (kind === "down" && (forMs >= failedMs || (state === "failed" && hasGivenUp(message)))) {
      return { status: state === "unhealthy" ? "unhealthy" : "failed", message };
    }
    return undefined;
  }

  return {
    look(services, nowMs) {
      const updates: StartUpdate[] = [];
      for (const service of services) {
        const { name, isRequired, message, progress } = service;
        if (!names.includes(name) || last.has(name)) continue;
        const end = judge(service, nowMs);
        const update: StartUpdate =
          end === undefined
            ? { serviceName: name, status: "starting", message, progress: Math.min(99, progress) }
            : { serviceName: name, ...end, progress: 100 };
        if (end !== undefined) last.set(name, { ...update, isRequired });
        const face = `${update.status} ${update.progress} ${update.message}`;
        if (faces.get(name) !== face) updates.push(update);
        faces.set(name, face);
      }
      return updates;
    },
    isTold: (some = names) => [...some].every((name) => last.has(name)),
    failures: () =>
      [...last.values()].flatMap(({ serviceName: name, status, message, isRequired }) =>
        isRequired && status === "failed" ? [{ name, message }] : [],
      ),
  };
}
