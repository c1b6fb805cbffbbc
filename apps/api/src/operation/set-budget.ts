import { type NewBudget, setBudget as storeBudget } from "@drover/db/query/budget";
import { DroverError } from "@drover/domain/error";
import type { Caller, Deps } from "./context.ts";

/** Makes a budget or changes the amount and manners of the one of this name; what it covers stays. */
export async function setBudget(deps: Deps, caller: Caller, draft: NewBudget): Promise<void> {
  if (draft.whenExceeded === "wait" && draft.period === "none") {
    const message = "Expected a period (day or month) where calls wait for the next one, got none.";
    throw new DroverError("invalid", message, { fields: [{ field: "rule.period", message }] });
  }
  const namespaceId = await deps.directory.namespaceId(caller.namespace);
  if ((await storeBudget(deps.db, namespaceId, draft, caller.actor)) === "conflict") {
    throw new DroverError(
      "conflict",
      `Expected budget "${draft.name}" to cover what it covered before (workflow, provider, model, period), got something else.`,
      { hint: `Delete it first with "drover budget delete ${draft.name}", or choose another name.` },
    );
  }
}
