import type { Deps } from "./context.ts";
import { type Followed, followEnvironment } from "./follow-environment.ts";

/** One turn of an environment's roll-out; idempotent, and safe on any number of replicas of the API. */
export async function rollOut(deps: Pick<Deps, "db" | "waker">, environmentId: number): Promise<Followed> {
  const followed = await deps.db.transaction((tx) => followEnvironment(tx, environmentId, "roll-out"));
  hint(deps, environmentId, followed);
  return followed;
}

/** Says what a committed turn has left to do for others: to those who place replicas, and to those who watch. */
export function hint({ waker }: Pick<Deps, "waker">, environmentId: number, followed: Followed): void {
  if (followed.hasUnplaced) waker.wake("place");
  if (followed.hasChanged) waker.wake(`environment:${environmentId}`);
}
