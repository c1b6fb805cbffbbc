import { userInfo } from "node:os";
import { resolve } from "node:path";
import type { Run, TaskExecutor } from "./executor.ts";
import { claimKey } from "./executor.ts";
import { sweepFolders } from "./folder.ts";
import { graceOf } from "./grace.ts";
import type { Owner } from "../docker/owner.ts";
import { killRun, markerOf } from "./process-end.ts";
import { describeLimits, findLimitTool } from "./process-limit.ts";
import { startProcessRun } from "./process-run.ts";
import { findMarked } from "./process-table.ts";

export interface ProcessExecutorOptions extends Owner {
  /** The operator's consent: processes are not isolated from the host. */
  enabled: boolean;
  /** Where the attempts' folders are made. */
  taskBase: string;
  /** The tasks' PATH; the agent's own environment is never passed on. */
  path?: string;
  lang?: string;
  /** Who the tasks run as; an agent that is not root can only be itself. */
  owner?: { uid: number; gid: number };
  stopGraceSeconds?: number;
  /** When the lease is lost: never longer than what is left of it. */
  leaseLostGraceSeconds?: () => number;
  /** How old a leftover of a former life must be; runs of this life are never leftovers. */
  sweepGraceSeconds?: number;
  folderKeepSeconds?: number;
  /** Whether the host has GPUs: tasks that were given none are kept from seeing them. */
  hasGpus?: () => boolean;
}

const killLeftoverMs = 2000;

/** Runs tasks as processes of the host, each in a group of its own. They do not outlive the agent. */
export function createProcessExecutor({
  enabled,
  holder,
  installation,
  taskBase,
  path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  lang = "C.UTF-8",
  owner,
  stopGraceSeconds = 10,
  leaseLostGraceSeconds,
  sweepGraceSeconds = 0,
  folderKeepSeconds = 604_800,
  hasGpus = () => false,
}: ProcessExecutorOptions): TaskExecutor {
  const limitTool = findLimitTool(path);
  const self: Owner = { holder, installation };
  const folders = { base: resolve(taskBase), ...(owner === undefined ? {} : { owner }) };
  const deps = {
    enabled,
    owner: self,
    folders,
    path,
    lang,
    limitTool,
    hasGpus,
    graceMs: graceOf(stopGraceSeconds, leaseLostGraceSeconds),
  };
  const live = new Map<string, Run>();

  const killLeftovers = async (isLeftover: (run: string, startedAt: Date) => boolean): Promise<string[]> => {
    const marked = findMarked(markerOf(self)).filter(
      ({ run, startedAt }) => !live.has(run) && isLeftover(run, startedAt),
    );
    const runs = [...new Set(marked.map(({ run }) => run))];
    const isGone = await Promise.all(runs.map((run) => killRun({ ...markerOf(self), run }, undefined, killLeftoverMs)));
    return runs.filter((_, index) => isGone[index]);
  };

  return {
    name: "process",
    async probe() {
      if (!enabled)
        return { ready: false, reason: "Processes are switched off on this node; the operator can enable them." };
      const { uid } = owner ?? userInfo();
      return { ready: true, facts: { limits: describeLimits(limitTool, uid === 0), uid: String(uid) } };
    },
    start(request, logs) {
      const key = claimKey(request);
      const known = live.get(key);
      if (known !== undefined) return known;
      const run = startProcessRun(deps, request, logs);
      live.set(key, run);
      void run.outcome.finally(() => live.delete(key));
      return run;
    },
    // Nobody reads their output any more and nobody saw their end: they are ended, and the claims come back as none.
    async adopt(held) {
      const keys = new Set(held.map(claimKey));
      await killLeftovers((run) => keys.has(run));
      return [];
    },
    async sweep(held) {
      const isOld = (startedAt: Date): boolean => Date.now() - startedAt.getTime() >= sweepGraceSeconds * 1000;
      const removed = await killLeftovers((run, startedAt) => !held.has(run) && isOld(startedAt));
      await sweepFolders(folders.base, new Set([...held, ...live.keys()]), folderKeepSeconds);
      return { removed };
    },
  };
}
