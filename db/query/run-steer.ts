import type { Json } from "@drover/domain/json";
import { sql } from "drizzle-orm";
import type { Executor } from "../client.ts";

/**
 * Leaves a signal for a run that is not final; false where it is. Commits before whoever ends the run looks, or finds it
 * ended: both lock its row.
 */
export async function signalRun(
  tx: Executor,
  runKey: string,
  kind: "event" | "decision" | "cancel",
  data: Record<string, Json>,
): Promise<boolean> {
  const rows = await tx.run(sql`
    with open as (
      select o.run_id from drover.run_open o where o.run_id = ${runKey} for share
    )
    insert into drover.run_signal (run_id, kind, data)
    select open.run_id, ${kind}, ${JSON.stringify(data)}::json from open
    returning id`);
  return rows.length > 0;
}

/** Tells what somebody did to a run. */
export async function tellRun(
  tx: Executor,
  about: { namespaceId: number; runKey: string; kind: string; actor: string; data: Record<string, Json> },
): Promise<void> {
  const { namespaceId, runKey, kind, actor, data } = about;
  await tx.run(sql`
    insert into drover.event (id, namespace_id, kind, actor, run_ids, data)
    values (drover.next_id(), ${namespaceId}, ${kind}, ${actor}, array[${runKey}::bigint], ${JSON.stringify(data)}::json)`);
}

/** Opens a final run again without the steps to reset; how many rows of steps that were, undefined where it is not final. */
export async function reopenRun(
  tx: Executor,
  runKey: string,
  reset: readonly number[],
  deadlineMs: number | undefined,
): Promise<boolean> {
  const [row] = await tx.run<{ reopened: boolean }>(sql`
    select drover.reopen_run(${runKey}, ${sql.param(reset)}::integer[], ${deadlineMs ?? null}::double precision) as reopened`);
  return row?.reopened ?? false;
}
