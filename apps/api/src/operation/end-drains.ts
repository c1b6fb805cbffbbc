import { endDrains as end } from "@drover/db/query/node";
import type { Deps } from "./context.ts";

/** Sends home what nodes still run whose drain is over, and hands on what removed nodes held; how many tasks of those. */
export function endDrains(deps: Deps): Promise<number> {
  return end(deps.db);
}
