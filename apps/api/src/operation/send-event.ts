import { signalRun, tellRun } from "@drover/db/query/run-steer";
import { DroverError } from "@drover/domain/error";
import type { Json } from "@drover/domain/json";
import type { Caller, Deps } from "./context.ts";
import { findRun } from "./find-run.ts";
import { maxPayloadBytes } from "./submit-task.ts";

/** Hands an event to a run: to the steps that wait for it, or to one that will. */
export async function sendEvent(
  deps: Deps,
  caller: Caller,
  id: string,
  event: { name: string; data: Json },
): Promise<void> {
  const bytes = Buffer.byteLength(JSON.stringify(event.data));
  if (bytes > maxPayloadBytes) {
    throw new DroverError(
      "invalid",
      `Expected at most ${maxPayloadBytes} bytes of JSON as the event's data, got ${bytes}.`,
    );
  }
  const run = await findRun(deps, caller, id);
  const namespaceId = await deps.directory.namespaceId(caller.namespace);
  await deps.db.transaction(async (tx) => {
    if (!(await signalRun(tx, run.key, "event", { ...event }))) throw runEnded(id, run.state);
    await tellRun(tx, {
      namespaceId,
      runKey: run.key,
      kind: "run.event",
      actor: caller.actor,
      data: { name: event.name },
    });
  });
  deps.waker.wake("advance");
}

/** The error for whoever steers a run that is over. */
export function runEnded(id: string, state: string): DroverError {
  return new DroverError("conflict", `Expected a run that is under way, got run "${id}", which is ${state}.`, {
    hint: 'Take it up again with "drover workflow resume", or start another one.',
  });
}
