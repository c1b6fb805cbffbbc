import type { Database } from "@drover/db/client";
import type { Directory } from "@drover/db/query/directory";
import type { CarriedWaker } from "@drover/db/wake";

/** What every operation works with. */
export interface Deps {
  db: Database;
  directory: Directory;
  waker: CarriedWaker;
}

/** On whose behalf an operation acts: events carry the actor, rows the namespace. */
export interface Caller {
  namespace: string;
  actor: string;
}
