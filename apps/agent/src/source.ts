import type { Executor } from "@drover/db/client";
import type { Wakeups } from "@drover/db/listen";
import { findInstallation } from "@drover/db/node/installation";
import { isLoginRefused } from "@drover/db/node/login";
import { describe, drain, held, type HeldClaim, leave, register } from "@drover/db/node/register";
import type { NodeRequest, WantedReplica } from "@drover/db/node/replica";
import { complete, fail } from "@drover/db/node/settle";
import { sync } from "@drover/db/node/sync";
import type { Source, Superseded } from "@drover/worker/source";

/** Free slots by class. */
export type Slots = Record<string, number>;

export interface NodeFacts {
  executors: string[];
  /** What of the executor llm can be served: the names of its providers. */
  taskTypes?: string[];
  slots: Slots;
  facts: Record<string, string>;
}

export interface NodeSourceOptions {
  db: Executor;
  wakeups?: Wakeups;
  name: string;
  namespace?: string;
  version: string;
  facts: () => NodeFacts;
  /** Which installation of Drover this is, told at every registration before anything else. */
  onInstallation?: (id: string) => void;
  /** What this node still holds from before, told at every registration. */
  onHeld: (held: HeldClaim[]) => void;
  /** Everything that this node is to keep, whenever it changed and after every registration. */
  onReplicas?: (replicas: WantedReplica[]) => void;
  /** The control plane answered, and wants the next sync after so long. */
  onAnswer?: (nextSyncMs: number) => void;
  onRequests?: (requests: NodeRequest[]) => void;
  /** Told when the database does not accept this node's login (any more): it is of no use to go on. */
  onRefused?: (error: unknown) => void;
  /** Whether a refusal is final; absent: it is. */
  isRefused?: (error: unknown) => Promise<boolean>;
}

export interface NodeSource extends Source<HeldClaim, Slots | undefined> {
  readonly holderId: number;
  /** As the control plane said last. */
  readonly leaseSeconds: number;
  readonly epoch: string;
  /** Tells the control plane that facts() changed. */
  describe(): Promise<void>;
  drain(): Promise<void>;
}

/** The control plane as an agent sees it: the node protocol over Postgres. */
export function createNodeSource({
  db,
  wakeups,
  name,
  namespace = "default",
  version,
  facts,
  onInstallation,
  onHeld,
  onReplicas,
  onAnswer,
  onRequests,
  onRefused,
  isRefused = async () => true,
}: NodeSourceOptions): NodeSource {
  let life: { holderId: number; epoch: string } | undefined;
  let leaseSeconds = 30;
  let revision = "-1";
  const refused = async (error: unknown): Promise<Superseded> => {
    if (!isLoginRefused(error) || !(await isRefused(error))) throw error;
    onRefused?.(error);
    // What is in hand is stopped as if another one had taken the name.
    return { status: "superseded", why: "the database does not take this node's login" };
  };
  const current = () => {
    if (life === undefined) throw new Error("the agent is not registered yet");
    return life;
  };
  return {
    async register() {
      const registration = {
        kind: "node" as const,
        name,
        namespace,
        taskTypes: [],
        classes: null,
        version,
        ...facts(),
      };
      const registered = await register(db, registration).catch(refused);
      if ("status" in registered) return registered;
      const id = await findInstallation(db);
      if (id !== undefined) onInstallation?.(id);
      life = { holderId: registered.holderId, epoch: registered.epoch };
      leaseSeconds = registered.leaseSeconds;
      revision = "-1";
      onHeld(registered.held);
      return { leaseSeconds: registered.leaseSeconds };
    },
    async poll(free) {
      const answer = await sync(db, current(), free ?? {}, wakeups?.isListening ?? false, revision).catch(refused);
      if (answer.status !== "ok") return answer;
      revision = answer.revision;
      if (answer.replicas !== undefined) onReplicas?.(answer.replicas);
      // After the replicas, so that what was taken away meanwhile does not start once more.
      onAnswer?.(answer.nextSyncMs);
      if (answer.requests !== undefined) onRequests?.(answer.requests);
      return {
        status: "ok",
        leaseSeconds: answer.leaseSeconds,
        claims: answer.claims,
        cancels: answer.cancels.map(({ task_id: taskKey, fence, reason, kind = "cancelled" }) => ({
          taskKey,
          fence,
          reason: reason ?? "",
          kind,
        })),
        nextPollMs: answer.nextSyncMs,
        hasMore: answer.claims.length > 0,
      };
    },
    complete: (batch) => complete(db, current(), batch),
    fail: (batch) => fail(db, current(), batch),
    held: () => held(db, current().holderId),
    async leave() {
      // Without a login there is nothing left to give back: its lease runs out.
      if (life !== undefined) await leave(db, life.holderId, life.epoch).catch(refused);
    },
    async describe() {
      if (life !== undefined) await describe(db, life, facts());
    },
    async drain() {
      if (life !== undefined) await drain(db, life.holderId, life.epoch);
    },
    subscribe(listener) {
      if (wakeups === undefined) return () => {};
      return wakeups.subscribe((hint) => {
        const [kind, what = ""] = hint.split(":", 2);
        const isOurs =
          (kind === "holder" && Number(what) === life?.holderId) || (kind === "class" && what in facts().slots);
        if (isOurs || forAll.has(hint)) listener();
      });
    },
    get holderId() {
      return current().holderId;
    },
    get leaseSeconds() {
      return leaseSeconds;
    },
    get epoch() {
      return life?.epoch ?? "0";
    },
  };
}

/** Hints that are for every node; the others are for the control plane. */
const forAll = new Set(["due", "reconnected"]);
