import { lockEnvironment, markForDeletion, tellEnvironment } from "@drover/db/query/environment";
import type { Caller, Deps } from "./context.ts";
import { findEnvironment } from "./find-environment.ts";
import { followEnvironment } from "./follow-environment.ts";
import { hint } from "./roll-out.ts";

/** Has the containers of an environment removed; it is forgotten with the last of them. */
export async function deleteEnvironment(deps: Deps, caller: Caller, name: string): Promise<void> {
  const { id } = await findEnvironment(deps, caller, name);
  const followed = await deps.db.transaction(async (tx) => {
    const row = await lockEnvironment(tx, id);
    if (row?.deletion_requested_at === null) {
      await markForDeletion(tx, id);
      const about = { namespaceId: row.namespace_id, actor: caller.actor, data: { environment: name } };
      await tellEnvironment(tx, { ...about, kind: "environment.deletion_requested" });
    }
    return followEnvironment(tx, id, caller.actor);
  });
  hint(deps, id, { ...followed, hasChanged: true });
}
