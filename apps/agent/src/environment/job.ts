import type { WantedReplica } from "@drover/db/node/replica";
import type { ReplicaAction } from "@drover/domain/environment/replica-memory";
import type { Answer } from "../docker/answer.ts";
import type { PullState } from "../docker/pull-progress.ts";
import type { Puller } from "../docker/pull.ts";
import { isOfAnother, isOwn } from "../docker/owner.ts";
import { replicaLabels } from "../docker/replica-label.ts";
import type { ServiceEngine } from "../docker/service-engine.ts";
import { type ContainerRules, planContainer, withNetworkIds } from "./container.ts";
import type { Resources } from "./resource.ts";

export interface JobDeps {
  engine: ServiceEngine;
  puller: Puller;
  resources: Resources;
  rules: ContainerRules;
}

/** unknown: no answer came; the next look tells what became of it. */
export type JobResult =
  /** containerId: of a container that was made. */
  { kind: "done"; containerId?: string } | { kind: "failed"; message: string } | { kind: "unknown"; message: string };

export interface JobContext {
  onPull: (text: string, state: PullState) => void;
  signal: AbortSignal;
}

const done: JobResult = { kind: "done" };

/** Does one thing for a replica. Whether it was of use only the next look at the engine tells. */
export async function runJob(
  deps: JobDeps,
  wanted: WantedReplica,
  action: ReplicaAction,
  context: JobContext,
): Promise<JobResult> {
  const { engine } = deps;
  switch (action.kind) {
    case "fetch":
      return fetchImage(deps, wanted, context);
    case "create":
      return createContainer(deps, wanted);
    case "start":
      return startContainer(deps, wanted, action.containerId);
    case "stop":
      return resultOf(await engine.stop(action.containerId, wanted.spec.service.stopGraceSeconds), "stopped");
    case "remove":
      return resultOf(await engine.remove(action.containerId), "removed");
  }
}

async function fetchImage({ engine, puller }: JobDeps, wanted: WantedReplica, context: JobContext): Promise<JobResult> {
  const { image, pull } = wanted.spec.service;
  if (pull !== "always") {
    const found = await engine.image(image);
    if (found.ok) return done;
    if (found.fault !== "missing") return { kind: "unknown", message: found.message };
    if (pull === "never") {
      return failed(`The image ${image} is not on this node, and its service never pulls. Build or load it there.`);
    }
  }
  const pulled = await puller.pull(image, context.onPull, context.signal);
  if (pulled.ok) return done;
  if (pulled.fault === "unknown") return { kind: "unknown", message: pulled.message };
  return failed(`The image ${image} could not be pulled: ${pulled.message}`);
}

async function createContainer(deps: JobDeps, wanted: WantedReplica): Promise<JobResult> {
  const { engine, resources, rules } = deps;
  const [ensured, plan] = await Promise.all([resources.ensure(wanted), planContainer(wanted, rules)]);
  if (!plan.ok) return failed(plan.message);
  if (!ensured.ok) return resultOf(ensured, "prepared");
  const created = await engine.create(plan.name, withNetworkIds(plan.options, ensured.value));
  if (created.ok) {
    const { id } = created.value;
    const started = await startContainer(deps, wanted, id);
    return started.kind === "done" ? { ...started, containerId: id } : started;
  }
  if (created.fault !== "conflict") return resultOf(created, "created");
  const found = await engine.inspect(plan.name);
  const labels = found.ok ? (found.value.Config.Labels ?? {}) : {};
  // What it is and what becomes of it the next look at all containers tells.
  if (isOwn(rules, labels) && labels[replicaLabels.replica] === wanted.id) return done;
  const isUnclear = !found.ok || (isOwn(rules, labels) && replicaLabels.replica in labels);
  if (isUnclear) return { kind: "unknown", message: found.ok ? "Another replica has its name." : found.message };
  const whose = isOfAnother(rules, labels) ? "of another installation of Drover" : "that is not this replica's";
  return failed(`The name ${plan.name} is taken by a container ${whose}. Remove or rename it: docker rm ${plan.name}.`);
}

async function startContainer(deps: JobDeps, wanted: WantedReplica, id: string): Promise<JobResult> {
  const joined = await deps.resources.join(wanted, id);
  const started = joined.ok ? await deps.engine.start(id) : joined;
  if (started.ok) return done;
  if (started.fault !== "unknown" && /network \S+ (?:not found|is ambiguous)/i.test(started.message)) {
    // It knows its network by an id that is no more, or by a name that says too little: a new container is told which.
    await deps.engine.remove(id);
  }
  return resultOf(started, "started");
}

function resultOf(answer: Answer<unknown>, what: string): JobResult {
  if (answer.ok) return done;
  if (answer.fault === "unknown") return { kind: "unknown", message: answer.message };
  return failed(`The container could not be ${what}: ${answer.message}`);
}

function failed(message: string): JobResult {
  return { kind: "failed", message };
}
