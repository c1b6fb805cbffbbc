import { cordonNodeGpu, uncordonNodeGpu } from "@drover/db/query/node-gpu";
import { DroverError } from "@drover/domain/error";
import type { Caller, Deps } from "./context.ts";

/** Keeps everything new off a GPU; who has it keeps it. */
export async function cordonGpu(deps: Deps, caller: Caller, uuid: string, reason: string): Promise<void> {
  await deps.directory.namespaceId(caller.namespace);
  const evidence = reason === "" ? `Cordoned by ${caller.actor}.` : reason;
  if (!(await cordonNodeGpu(deps.db, caller.actor, uuid, evidence))) throw gpuNotFound(uuid);
}

/** Gives a GPU back, whoever cordoned it: an operator, or the node after a failure. */
export async function uncordonGpu(deps: Deps, caller: Caller, uuid: string): Promise<void> {
  await deps.directory.namespaceId(caller.namespace);
  if (!(await uncordonNodeGpu(deps.db, caller.actor, uuid))) throw gpuNotFound(uuid);
  deps.waker.wake("place");
}

export function gpuNotFound(uuid: string): DroverError {
  return new DroverError("not_found", `There is no GPU "${uuid}".`, {
    hint: 'List the GPUs with "drover gpu list".',
  });
}
