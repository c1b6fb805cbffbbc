import type { Clock } from "@drover/daemon/clock";
import type { ReplicaReport, WantedReplica } from "@drover/db/node/replica";
import type { ReplicaStep } from "@drover/domain/environment/reconcile";
import type { ServiceEngine } from "../docker/service-engine.ts";
import type { Observed } from "./observe.ts";
import { reportOf } from "./report.ts";
import type { Reporter } from "./reporter.ts";
import type { Tally } from "./tally.ts";
import type { Work } from "./work.ts";

export interface Announcer {
  /** Says of each replica what a look came to; of one about which nothing new is known, the same as before. */
  announce(
    steps: readonly ReplicaStep[],
    wanted: ReadonlyMap<string, WantedReplica>,
    byId: ReadonlyMap<string, Observed>,
    isCutOff: (one: WantedReplica) => boolean,
  ): Promise<void>;
}

export interface AnnouncerOptions {
  engine: Pick<ServiceEngine, "image">;
  reporter: Reporter;
  tally: Tally;
  pullOf: Work["pullOf"];
  clock: Clock;
}

/** Turns looks into reports and counts. */
export function createAnnouncer({ engine, reporter, tally, pullOf, clock }: AnnouncerOptions): Announcer {
  let reports = new Map<string, ReplicaReport>();
  const digests = new Map<string, string>();
  // Told times must not jump with the wall clock from one report to the next.
  const wallStartMs = Date.now() - clock.now();

  async function digestOf(imageId: string): Promise<string | undefined> {
    if (!digests.has(imageId)) {
      const answer = await engine.image(imageId);
      if (answer.ok) digests.set(imageId, answer.value.digest ?? "");
    }
    return digests.get(imageId) || undefined;
  }

  return {
    async announce(steps, wanted, byId, isCutOff) {
      const next = new Map<string, ReplicaReport>();
      for (const step of steps) {
        const { id } = step.desired;
        const inspection = step.found && byId.get(step.found.id)?.inspection;
        const digest = inspection && (await digestOf(inspection.Image));
        const replica = wanted.get(id);
        const pull = pullOf(id);
        const before = reports.get(id);
        const report = reportOf(step, {
          inspection,
          wallOf: (ms) => new Date(Math.round(wallStartMs + ms)),
          ...(digest && { imageDigest: digest }),
          ...(pull && { pull }),
          ...(replica && isCutOff(replica) && { message: "Stopped, since the control plane cannot be reached." }),
        });
        const said = report ?? before;
        if (said === undefined) continue;
        next.set(id, said);
        if (report !== undefined) tally.said(step.desired, before, report, step.found?.state === "running");
      }
      reports = next;
      tally.active(steps.filter(({ status }) => status?.state === "running").length);
      reporter.put([...next.values()]);
    },
  };
}
