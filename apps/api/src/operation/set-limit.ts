import { type NewLimit, setLimit as storeLimit } from "@drover/db/query/limit";
import { DroverError } from "@drover/domain/error";
import { type LimitMetric, limitWindows, type LimitWindow } from "@drover/domain/rate-limit";
import type { Caller, Deps } from "./context.ts";

/** A limit as it is asked for; what is absent selects everything. */
export interface LimitDraft {
  name: string;
  provider?: string | undefined;
  model?: string | undefined;
  namespace?: string | undefined;
  workflow?: string | undefined;
  metric: LimitMetric;
  window?: LimitWindow | undefined;
  allowance: bigint;
}

/** Makes a limit or changes the one of this name; calls that fit now are called in at once. */
export async function setLimit(deps: Deps, caller: Caller, draft: LimitDraft): Promise<void> {
  const { window, namespace, ...rest } = draft;
  if ((draft.metric === "concurrent") !== (window === undefined)) {
    const message =
      window === undefined
        ? `Expected a window (minute, hour or day) for a limit of ${draft.metric}, got none.`
        : `Expected no window for a limit of calls at once, got ${window}.`;
    throw new DroverError("invalid", message, { fields: [{ field: "rule.window", message }] });
  }
  const limit: NewLimit = {
    ...rest,
    ...(namespace !== undefined && { namespaceId: await deps.directory.namespaceId(namespace) }),
    ...(window !== undefined && { windowSeconds: limitWindows[window] }),
  };
  await storeLimit(deps.db, limit, caller.actor);
}
