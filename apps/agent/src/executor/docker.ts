import { userInfo } from "node:os";
import { resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { DroverError } from "@drover/domain/error";
import type { Answer } from "../docker/answer.ts";
import { connect } from "../docker/connect.ts";
import { createEngine } from "../docker/engine.ts";
import { label, readTaskLabels } from "../docker/label.ts";
import { isOwn, type Owner } from "../docker/owner.ts";
import { createPuller, type Puller } from "../docker/pull.ts";
import { readGpuLabel } from "../gpu/device-request.ts";
import { createAbsence } from "./absence.ts";
import type { BeginDeps } from "./docker-begin.ts";
import { beginContainer, discard, startContainer } from "./docker-begin.ts";
import type { DockerRunOptions } from "./docker-run.ts";
import { startDockerRun } from "./docker-run.ts";
import type { HeldClaim, LogSink, Run, RunRequest, TaskExecutor } from "./executor.ts";
import { claimKey } from "./executor.ts";
import { sweepFolders } from "./folder.ts";
import { gpuMismatch } from "./gpu-mismatch.ts";
import { graceOf } from "./grace.ts";
import { failed } from "./outcome.ts";

export interface DockerExecutorOptions extends Owner {
  /** The node's current epoch. */
  epoch: () => string;
  /** Where the attempts' folders are made; the same path on the engine's host. */
  taskBase: string;
  /** As in DOCKER_HOST. */
  host?: string;
  /** As in DOCKER_CERT_PATH. */
  certPath?: string;
  /** Mounts are allowed at and below these. */
  allowedHostPaths?: readonly string[];
  /** Networks that tasks may ask for, beside none. */
  allowedNetworks?: readonly string[];
  /** As in `docker run --user`; otherwise the image's user, or the agent's own where it is not root. */
  user?: string;
  defaultPids?: number;
  /** Whether the host has GPUs: tasks that were given none are kept from seeing them. */
  hasGpus?: () => boolean;
  stopGraceSeconds?: number;
  /** When the lease is lost: never longer than what is left of it. */
  leaseLostGraceSeconds?: () => number;
  sweepGraceSeconds?: number;
  /** How long the folders of ended attempts are kept. */
  folderKeepSeconds?: number;
  callTimeoutSeconds?: number;
  pullProgressTimeoutSeconds?: number;
  pullTimeoutSeconds?: number;
  /** Shared with others who pull on this node. */
  puller?: Puller;
  /** How long a run waits for an engine that is away. */
  engineTimeoutSeconds?: number;
}

/** Runs tasks in containers. What it remembers lies in the containers' labels, so that it survives a restart. */
export function createDockerExecutor({
  holder,
  installation,
  epoch,
  taskBase,
  host,
  certPath,
  allowedHostPaths = [],
  allowedNetworks = [],
  user = defaultUser(),
  defaultPids = 512,
  hasGpus = () => false,
  stopGraceSeconds = 10,
  leaseLostGraceSeconds,
  sweepGraceSeconds = 300,
  folderKeepSeconds = 604_800,
  callTimeoutSeconds = 30,
  pullProgressTimeoutSeconds = 60,
  pullTimeoutSeconds = 1800,
  engineTimeoutSeconds = 120,
  puller,
}: DockerExecutorOptions): TaskExecutor {
  const docker = connect({ ...(host === undefined ? {} : { host }), ...(certPath === undefined ? {} : { certPath }) });
  const engine = createEngine({ docker, callTimeoutMs: callTimeoutSeconds * 1000 });
  const owner = ownerOf(user);
  const self: Owner = { holder, installation };
  const deps: BeginDeps & DockerRunOptions["deps"] = {
    engine,
    puller:
      puller ??
      createPuller({
        engine,
        progressTimeoutMs: pullProgressTimeoutSeconds * 1000,
        timeoutMs: pullTimeoutSeconds * 1000,
      }),
    owner: self,
    epoch,
    folders: { base: resolve(taskBase), ...(owner === undefined ? {} : { owner }) },
    allowedHostPaths,
    allowedNetworks,
    defaultPids,
    user,
    hasGpus,
    graceMs: graceOf(stopGraceSeconds, leaseLostGraceSeconds),
    engineTimeoutMs: engineTimeoutSeconds * 1000,
  };
  const live = new Map<string, Run>();

  const track = (request: RunRequest, logs: LogSink, rest: Pick<DockerRunOptions, "begin" | "logsSince">): Run => {
    const key = claimKey(request);
    const known = live.get(key);
    if (known !== undefined) return known;
    const run = startDockerRun({ deps, request, logs, ...rest });
    live.set(key, run);
    void run.outcome.finally(() => live.delete(key));
    return run;
  };
  const listOwn: () => ReturnType<typeof engine.list> = async () => {
    const answer = await engine.list([`${label.holder}=${holder}`, label.task]);
    return answer.ok ? { ...answer, value: answer.value.filter(({ Labels }) => isOwn(self, Labels)) } : answer;
  };

  return {
    name: "docker",
    async probe() {
      const answer = await engine.version();
      if (!answer.ok) return { ready: false, reason: `No container engine can be reached: ${answer.message}` };
      const { version, apiVersion } = answer.value;
      return { ready: true, facts: { version, api_version: apiVersion } };
    },
    start: (request, logs) => track(request, logs, { begin: (context) => beginContainer(deps, request, context) }),
    async adopt(held, logs) {
      const containers = await insist(listOwn, deps.engineTimeoutMs);
      const runs: Run[] = [];
      for (const { Id: id, Labels: labels } of containers) {
        const known = readTaskLabels(labels);
        const claim = known && held.find((one) => claimKey(one) === claimKey(known));
        if (known === undefined || claim === undefined) continue;
        const { startedAt, folder, workDir } = known;
        runs.push(
          track(claim.request, logs(claim.request), {
            ...sinceOf(claim),
            begin: async ({ stopping }) => {
              const strange = gpuMismatch(claim.request, labels);
              if (strange !== undefined) return discard(engine, id, failed("agent_restarted", strange));
              const look = await engine.look(id);
              const isNew = look.state === "stopped" && look.startedAt === undefined;
              const refused = isNew ? await startContainer(deps, claim.request, id, stopping) : undefined;
              return (
                refused ?? { id, startedAt: look.state === "running" ? look.startedAt : startedAt, folder, workDir }
              );
            },
          }),
        );
      }
      return runs;
    },
    async sweep(held) {
      const keep = new Set([...held, ...live.keys()]);
      const answer = await listOwn();
      const removed: string[] = [];
      if (!answer.ok) return { removed };
      for (const { Id: id, Names: names, Labels: labels, Created: createdSeconds } of answer.value) {
        const known = readTaskLabels(labels);
        // Its GPUs may be somebody else's by now.
        const isYoung = readGpuLabel(labels).length === 0 && Date.now() / 1000 - createdSeconds < sweepGraceSeconds;
        if (known === undefined || isYoung || keep.has(claimKey(known)) || live.has(claimKey(known))) continue;
        if ((await engine.remove(id)).ok) removed.push(names[0]?.replace(/^\//, "") ?? id);
      }
      await sweepFolders(deps.folders.base, keep, folderKeepSeconds);
      return { removed };
    },
  };
}

// An agent that is not root could not remove what the root of a container leaves.
function defaultUser(): string | undefined {
  const { uid, gid } = userInfo();
  return uid === 0 ? undefined : `${uid}:${gid}`;
}

// A user by name is known to the image alone.
function ownerOf(user: string | undefined): { uid: number; gid: number } | undefined {
  const [, uid, gid] = /^(\d+)(?::(\d+))?$/.exec(user ?? "") ?? [];
  return uid === undefined ? undefined : { uid: Number(uid), gid: Number(gid ?? 0) };
}

function sinceOf(claim: HeldClaim): { logsSince?: Date } {
  return claim.logsSince === undefined ? {} : { logsSince: claim.logsSince };
}

async function insist<T>(call: () => Promise<Answer<T>>, boundMs: number): Promise<T> {
  const absence = createAbsence(boundMs);
  for (;;) {
    const answer = await call();
    if (answer.ok) return answer.value;
    if (absence.isTooLong()) {
      throw new DroverError("unavailable", `The container engine could not list the containers: ${answer.message}`, {
        hint: "Start the engine, then restart the agent; its containers are kept.",
      });
    }
    await delay(500);
  }
}
