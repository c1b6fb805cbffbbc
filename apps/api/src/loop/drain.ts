import type { Log } from "@drover/daemon/log";
import { createLoop } from "@drover/daemon/loop";
import type { Service } from "@drover/daemon/service";
import type { Deps } from "../operation/context.ts";
import { endDrains } from "../operation/end-drains.ts";

/** Sees to the ends of drains and to what removed nodes leave behind; safe on any number of replicas. */
export function createDrainLoop({ deps, log }: { deps: Deps; log: Log }): Service {
  return createLoop({
    name: "end drains",
    intervalMs: 5_000,
    log,
    async run() {
      const taken = await endDrains(deps);
      if (taken > 0) log.info({ taken }, "took back what removed nodes held");
    },
  });
}
