import { setTimeout as delay } from "node:timers/promises";
import type { Engine } from "../docker/engine.ts";
import { label, readTaskLabels } from "../docker/label.ts";
import { checkMounts } from "../docker/mount.ts";
import { isOwn, type Owner } from "../docker/owner.ts";
import type { Puller } from "../docker/pull.ts";
import { containerName, containerSpec } from "../docker/spec.ts";
import { createAbsence } from "./absence.ts";
import { defaultWorkDir, findFault } from "./check.ts";
import type { BeginContext, Begun } from "./docker-run.ts";
import type { RunOutcome, RunRequest } from "./executor.ts";
import type { FolderOptions } from "./folder.ts";
import { prepareFolder } from "./folder.ts";
import { failed, stoppedEarly } from "./outcome.ts";

export interface BeginDeps {
  engine: Engine;
  puller: Puller;
  owner: Owner;
  epoch: () => string;
  folders: FolderOptions;
  allowedHostPaths: readonly string[];
  allowedNetworks: readonly string[];
  defaultPids: number;
  user: string | undefined;
  hasGpus: () => boolean;
  engineTimeoutMs: number;
}

type Created = { id: string } | { outcome: RunOutcome; mayBeLeft: boolean };

const tryAgainMs = 250;

/** Brings an attempt's container up: check, mounts, folder, create (and pull where the image is missing), start. */
export async function beginContainer(deps: BeginDeps, request: RunRequest, context: BeginContext): Promise<Begun> {
  const { execution } = request;
  const workDir = execution.workingDir ?? defaultWorkDir;
  const fault = findFault(execution, "docker", workDir) ?? networkFault(execution.network, deps.allowedNetworks);
  if (fault !== undefined || execution.image === undefined) return never("invalid_execution", fault ?? "");
  const rules = { allowedHostPaths: deps.allowedHostPaths, taskBase: deps.folders.base };
  const checked = await checkMounts(execution.mounts ?? [], rules);
  if (!checked.ok) return never("mount_refused", checked.message);
  const folder = await prepareFolder(deps.folders, request);
  const spec = containerSpec(request, {
    image: execution.image,
    owner: deps.owner,
    epoch: deps.epoch(),
    startedAt: new Date(),
    folder,
    workDir,
    mounts: checked.mounts,
    defaultPids: deps.defaultPids,
    hasGpus: deps.hasGpus(),
    ...(deps.user === undefined ? {} : { user: deps.user }),
  });
  const created = await create(deps, request, context, spec, execution.image);
  if ("outcome" in created) return created;
  const refused = await startContainer(deps, request, created.id, context.stopping);
  // Pulling does not count against the task's time.
  return refused ?? { id: created.id, startedAt: new Date(), folder, workDir };
}

/** Starts a created container; nothing comes back where it runs or has run. */
export async function startContainer(
  deps: Pick<BeginDeps, "engine" | "engineTimeoutMs">,
  request: RunRequest,
  id: string,
  stopping: AbortSignal,
): Promise<{ outcome: RunOutcome; mayBeLeft: boolean } | undefined> {
  const { engine } = deps;
  const absence = createAbsence(deps.engineTimeoutMs);
  for (;;) {
    if (stopping.aborted) return discard(engine, id, stoppedEarly(request, stopping.reason));
    const answer = await engine.start(id);
    if (answer.ok) return undefined;
    if (answer.fault !== "unknown") return discard(engine, id, failed("start_failed", startMessage(answer.message)));
    const look = await engine.look(id);
    if (look.state === "running" || (look.state === "stopped" && look.startedAt !== undefined)) return undefined;
    if (look.state === "missing") {
      return {
        outcome: failed("start_failed", "Somebody removed the container before it was started."),
        mayBeLeft: false,
      };
    }
    if (look.state === "unknown" && absence.isTooLong()) return away(answer.message);
    if (look.state !== "unknown") absence.end();
    await delay(tryAgainMs);
  }
}

async function create(
  deps: BeginDeps,
  request: RunRequest,
  context: BeginContext,
  spec: ReturnType<typeof containerSpec>,
  image: string,
): Promise<Created> {
  const { engine, puller } = deps;
  const { stopping } = context;
  const name = containerName(request);
  const absence = createAbsence(deps.engineTimeoutMs);
  let hasPulled = false;
  let mayExist = false;
  for (;;) {
    if (stopping.aborted) {
      const outcome = stoppedEarly(request, stopping.reason);
      return mayExist ? discardByName(deps, request, outcome) : { outcome, mayBeLeft: false };
    }
    const answer = await engine.create(name, spec);
    if (answer.ok) return answer.value;
    switch (answer.fault) {
      case "missing": {
        const isImage = /no such image/i.test(answer.message);
        if (!isImage) return never("start_failed", answer.message);
        if (hasPulled)
          return never("image_unavailable", `The image ${image} was pulled, but is not there: ${answer.message}`);
        const pulled = await puller.pull(image, context.note, stopping);
        hasPulled = pulled.ok;
        if (pulled.ok || stopping.aborted) continue;
        if (pulled.fault !== "unknown")
          return never("image_unavailable", `The image ${image} could not be pulled: ${pulled.message}`);
        if (absence.isTooLong()) return away(pulled.message);
        break;
      }
      case "conflict": {
        const look = await engine.look(name);
        if (look.state === "running" || look.state === "stopped") {
          if (isOurs(look.labels, request, deps.owner)) return { id: look.id };
          return never(
            "start_failed",
            `The name ${name} is taken by a container that is not this attempt's: ${look.id}.`,
          );
        }
        if (look.state === "unknown" && absence.isTooLong()) return away(look.message);
        break;
      }
      case "refused":
        return never("invalid_execution", `The container engine refuses the task: ${answer.message}`);
      case "failed":
        return never("start_failed", `The container engine could not create the container: ${answer.message}`);
      case "unknown":
        mayExist = true; // Only the reply may be lost.
        if (absence.isTooLong()) return away(answer.message);
    }
    await delay(tryAgainMs);
  }
}

function networkFault(network: string | undefined, allowed: readonly string[]): string | undefined {
  if (network === undefined || network === "none" || allowed.includes(network)) return undefined;
  const list = ["none", ...allowed].join(", ");
  return `execution.network: expected one of the networks that this node allows (${list}), got ${JSON.stringify(network)}.`;
}

function isOurs(labels: Record<string, string>, request: RunRequest, owner: Owner): boolean {
  const known = readTaskLabels(labels);
  return (
    known?.taskKey === request.taskKey &&
    known.fence === request.fence &&
    isOwn(owner, labels) &&
    labels[label.taskId] === request.taskId
  );
}

function never(errorClass: string, message: string): { outcome: RunOutcome; mayBeLeft: boolean } {
  return { outcome: failed(errorClass, message), mayBeLeft: false };
}

function away(message: string): { outcome: RunOutcome; mayBeLeft: boolean } {
  const text = `The container engine could not be reached, so that the task was not started: ${message}`;
  return { outcome: failed("engine_unavailable", text), mayBeLeft: true };
}

/** Removes a container that is not to run. */
export async function discard(
  engine: Engine,
  id: string,
  outcome: RunOutcome,
): Promise<{ outcome: RunOutcome; mayBeLeft: boolean }> {
  const answer = await engine.remove(id);
  return { outcome, mayBeLeft: !answer.ok };
}

async function discardByName(
  deps: BeginDeps,
  request: RunRequest,
  outcome: RunOutcome,
): Promise<{ outcome: RunOutcome; mayBeLeft: boolean }> {
  const look = await deps.engine.look(containerName(request));
  if (look.state === "unknown") return { outcome, mayBeLeft: true };
  if (look.state === "missing" || !isOurs(look.labels, request, deps.owner)) return { outcome, mayBeLeft: false };
  return discard(deps.engine, look.id, outcome);
}

function startMessage(message: string): string {
  const hint = /could not select device driver/.test(message)
    ? " Expected a node with GPUs and their container runtime."
    : "";
  return `The container could not be started: ${message}${hint}`;
}
