import type { EnvironmentState, ReplicaState } from "./lifecycle.ts";

/** unknown: its node does not answer. */
export type SeenState = ReplicaState | "unknown";

/** A replica as it should be, and what its node last said of it. */
export interface ReplicaFacts {
  number: number;
  wanted: "running" | "stopped" | "gone";
  specHash: string;
  round: number;
  node: { name: string; isLost: boolean } | undefined;
  status: ReplicaSaid | undefined;
  /** Runs on only until its replacement on another node does. */
  isLeaving?: boolean;
}

export interface ReplicaSaid {
  state: ReplicaState;
  message: string;
  /** Of what its node works on; null: it did not say. */
  specHash: string | null;
  round: number | null;
}

export interface ReplicaView {
  number: number;
  state: SeenState;
  message: string;
  /** Neither going nor being replaced by one on another node. */
  isCounted: boolean;
}

export interface ServiceFacts {
  name: string;
  isRequired: boolean;
  isStopped: boolean;
  /** How many replicas are declared. */
  replicas: number;
}

export interface ServiceView extends ServiceFacts {
  /** The worst of its replicas' states. */
  state: SeenState;
  message: string;
  running: number;
  /** What there is to say of a replica although it runs: that it was changed by hand; empty: nothing. */
  remark: string;
}

export interface EnvironmentFacts {
  isDeleting: boolean;
  /** Replicas have yet to get what was changed last. */
  isRolling: boolean;
  pausedReason: string | null;
}

/** What is to be said of a replica: what its node says counts only if it is about the newest spec and round of it. */
export function viewReplica(facts: ReplicaFacts): ReplicaView {
  const { number, wanted, isLeaving = false } = facts;
  return { number, ...stateOf(facts), isCounted: wanted !== "gone" && !isLeaving };
}

/** What is to be said of a service with its replicas. */
export function viewService(service: ServiceFacts, replicas: readonly ReplicaView[]): ServiceView {
  const counted = replicas.filter(({ isCounted }) => isCounted);
  const running = counted.filter(({ state }) => state === "running").length;
  const missing = service.isStopped ? [] : missingReplicas(service, counted);
  // Those on their way out count only where they are all that is left.
  const shown = service.replicas === 0 ? replicas : [...counted, ...missing];
  const [worst] = shown.toSorted((a, b) => severity(a.state) - severity(b.state));
  const state = worst?.state ?? "stopped";
  const remark = counted.find((one) => one.state === "running" && one.message !== "")?.message ?? "";
  const said = serviceMessage(service, running, worst);
  const message = state === "running" && remark !== "" ? `${said} ${remark}` : said;
  return { ...service, state, running, message, remark };
}

/** What is to be said of an environment with its services. */
export function viewEnvironment(
  { isDeleting, isRolling, pausedReason }: EnvironmentFacts,
  services: readonly ServiceView[],
): { state: EnvironmentState; message: string } {
  const faults = services
    .filter((one) => !isSettled(one))
    .map(({ name, message }) => `${name}: ${message.replace(/[^.!?]$/, "$&.")}`);
  const say = (state: EnvironmentState, lead: string) => ({ state, message: [lead, ...faults].join(" ") });
  if (isDeleting) return say("deleting", "Its containers are removed.");
  const required = services.filter(({ isRequired }) => isRequired);
  if (required.some(({ state, running }) => state === "failed" && running === 0))
    return say("failed", "A required service has failed.");
  if (pausedReason !== null) return say("degraded", `The roll-out is paused: ${pausedReason}`);
  const open = services.filter((one) => !isSettled(one));
  if (required.some(({ state }) => isBroken(state)) || open.some(({ state }) => isBroken(state)))
    return say("degraded", "Not everything runs.");
  if (open.length > 0) return say("converging", "Not everything runs yet.");
  if (isRolling) return say("converging", "Replicas follow the newest generation.");
  if (services.every(({ isStopped, replicas }) => isStopped || replicas === 0))
    return say("stopped", "All services are stopped.");
  const remarks = services.filter(({ remark }) => remark !== "").map(({ name, remark }) => `${name}: ${remark}`);
  return say("ready", [readyLead(services), ...remarks].join(" "));
}

/** Who runs of those that need nothing. */
function readyLead(services: readonly ServiceView[]): string {
  const names = (some: readonly ServiceView[]) => some.map(({ name }) => name).join(", ");
  const stopped = services.filter(({ isStopped }) => isStopped);
  const ended = services.filter((one) => !one.isStopped && one.replicas > 0 && one.state === "stopped");
  if (ended.length === services.length)
    return ended.length === 1 ? "Its service has ended." : "All services have ended.";
  const others = [
    ...(stopped.length > 0 ? [`were stopped: ${names(stopped)}`] : []),
    ...(ended.length > 0 ? [`have ended: ${names(ended)}`] : []),
  ];
  if (others.length > 0) return `All services run but those that ${others.join("; and that ")}.`;
  return services.length === 1 ? "Its service runs." : `All ${services.length} services run.`;
}

function stateOf(facts: ReplicaFacts): { state: SeenState; message: string } {
  const { wanted, node, status, specHash, round } = facts;
  if (node === undefined) {
    if (wanted === "running") return { state: "pending", message: "Waits for a node that can run it." };
    return { state: "stopped", message: "" };
  }
  if (node.isLost) {
    const last = status === undefined ? "Nothing was heard of it." : `It was last ${status.state}.`;
    return { state: "unknown", message: `Node "${node.name}" does not answer. ${last}` };
  }
  if (wanted === "gone") return { state: "stopping", message: status?.message || "It is removed." };
  if (wanted === "stopped") {
    if (status === undefined || status.state === "stopped") return { state: "stopped", message: "" };
    return { state: "stopping", message: status.state === "stopping" ? status.message : "" };
  }
  if (status === undefined) return { state: "starting", message: `Node "${node.name}" is told to start it.` };
  if (status.specHash === specHash && status.round === round) return { state: status.state, message: status.message };
  return { state: "starting", message: `Node "${node.name}" is told to replace its container.` };
}

/** Rows that a roll-out has yet to make, as between two of its steps. */
function missingReplicas({ replicas }: ServiceFacts, counted: readonly ReplicaView[]): ReplicaView[] {
  if (counted.length >= replicas) return [];
  return [{ number: 0, state: "pending", message: "Is about to be made.", isCounted: true }];
}

/** The worst first. */
const bySeverity: readonly SeenState[] = [
  "failed",
  "unhealthy",
  "unknown",
  "pending",
  "starting",
  "stopping",
  "running",
  "stopped",
];

function severity(state: SeenState): number {
  return bySeverity.indexOf(state);
}

function isBroken(state: SeenState): boolean {
  return state === "failed" || state === "unhealthy" || state === "unknown";
}

/** As it should be, until somebody changes something. */
function isSettled({ state, running, replicas, isStopped }: ServiceView): boolean {
  if (isStopped || replicas === 0) return state === "stopped";
  // What ended by itself, and is let, is not running and needs nothing.
  return state === "stopped" || (state === "running" && running <= replicas);
}

function serviceMessage(service: ServiceFacts, running: number, worst: ReplicaView | undefined): string {
  const { isStopped, replicas } = service;
  if (isStopped) return worst === undefined || worst.state === "stopped" ? "Was stopped." : "Stops.";
  if (replicas === 0) {
    if (worst === undefined) return "No replica is declared.";
    return worst.state === "unknown" ? `Its replicas are to be removed. ${worst.message}` : "Its replicas are removed.";
  }
  if (worst?.state === "running") return replicas === 1 ? "Runs." : `All ${replicas} replicas run.`;
  const count = replicas === 1 ? "" : `${running} of ${replicas} replicas run. `;
  const about = replicas === 1 || worst === undefined || worst.number === 0 ? "" : `Replica ${worst.number}: `;
  return `${count}${about}${worst?.message || says[worst?.state ?? "stopped"]}`;
}

const says: Record<SeenState, string> = {
  failed: "It has failed.",
  unhealthy: "Its probes do not succeed any more.",
  unknown: "Its node does not answer.",
  pending: "It waits for a node.",
  starting: "It starts.",
  stopping: "It stops.",
  running: "It runs.",
  stopped: "It has ended.",
};
