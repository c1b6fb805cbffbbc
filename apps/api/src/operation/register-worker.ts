import { register } from "@drover/db/node/register";
import type { Caller, Deps } from "./context.ts";

export interface WorkerFacts {
  name: string;
  types: string[];
  /** Null: every class. */
  classes: string[] | null;
}
/** Begins a worker's life: a lease, and a fence for whoever used its name before. */
export async function registerWorker(
  deps: Deps,
  caller: Caller,
  facts: WorkerFacts,
): Promise<{ session: string; leaseSeconds: number }> {
  const registered = await register(deps.db, {
    kind: "worker",
    name: facts.name,
    namespace: caller.namespace,
    executors: ["worker"],
    taskTypes: facts.types,
    classes: facts.classes,
    slots: {},
    facts: {},
    version: "",
  });
  return { session: `${registered.holderId}.${registered.epoch}`, leaseSeconds: registered.leaseSeconds };
}
