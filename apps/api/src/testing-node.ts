import type { Database } from "@drover/db/client";
import { type HeldClaim, register } from "@drover/db/node/register";
import {
  type NodeReply,
  type NodeRequest,
  reply,
  type ReplicaReport,
  report,
  type WantedReplica,
} from "@drover/db/node/replica";
import { appendLog, complete, fail, type StoredLogLine } from "@drover/db/node/settle";
import { sync } from "@drover/db/node/sync";
import type { RunResult } from "@drover/domain/run-result";

export interface TestNodeOptions {
  db: Database;
  name?: string;
  executors?: string[];
  slots?: Record<string, number>;
  facts?: Record<string, string>;
  /** Does a task; the exit code and what it printed. None: tasks stay pending. */
  onTask?: (claim: HeldClaim) => { exitCode: number; lines?: StoredLogLine[]; result?: Partial<RunResult> };
  /** What it says of a replica that it is to keep. None: nothing. */
  onReplica?: (replica: WantedReplica) => Omit<ReplicaReport, "replicaId"> | undefined;
  /** What it answers to a request, part by part. */
  onRequest?: (request: NodeRequest) => NodeReply[];
}

/** A node that speaks the protocol of nodes and has no engine: what its containers do is what a test says. */
export async function startTestNode(options: TestNodeOptions) {
  const { db, name = "test-node", slots = { cpu_short: 4, gpu: 1 } } = options;
  const { holderId, epoch } = await register(db, {
    kind: "node",
    name,
    namespace: "default",
    executors: options.executors ?? ["docker"],
    taskTypes: [],
    classes: null,
    slots,
    facts: options.facts ?? {},
    version: "test",
  });
  const life = { holderId, epoch };
  const answered = new Set<string>();
  const told = new Map<string, string>();
  let revision = "-1";
  let replicas: WantedReplica[] = [];

  async function turn(): Promise<void> {
    const answer = await sync(db, life, options.onTask === undefined ? {} : slots, false, revision);
    if (answer.status !== "ok") throw new Error(`the node was ${answer.status}`);
    revision = answer.revision;
    replicas = answer.replicas ?? replicas;
    for (const claim of answer.claims) await work(claim);
    await tell();
    for (const request of answer.requests ?? []) await respond(request);
  }

  async function work(claim: HeldClaim): Promise<void> {
    const { exitCode, lines = [], result } = options.onTask?.(claim) ?? { exitCode: 0 };
    const key = { taskKey: claim.task_id, fence: claim.fence };
    if (lines.length > 0) await appendLog(db, life, key, 0, lines);
    const run: RunResult = { ...emptyRun, exitCode, ...result };
    const text = JSON.stringify(run);
    if (exitCode === 0) await complete(db, life, [{ ...key, result: text }]);
    else await fail(db, life, [{ ...key, class: "exit_nonzero", message: `exit ${exitCode}`, result: text }]);
  }

  async function tell(): Promise<void> {
    const news = replicas.flatMap((replica): ReplicaReport[] => {
      const said = replica.wanted === "gone" ? { state: "gone" as const } : options.onReplica?.(replica);
      if (said === undefined) return [];
      const { specHash, round } = replica;
      const whole = { replicaId: replica.id, specHash, round, ...said };
      const face = JSON.stringify(whole);
      if (told.get(replica.id) === face) return [];
      told.set(replica.id, face);
      return [whole];
    });
    if (news.length > 0) await report(db, life, news);
  }

  async function respond(request: NodeRequest): Promise<void> {
    if (answered.has(request.id)) return;
    answered.add(request.id);
    const parts = options.onRequest?.(request) ?? [];
    for (const [chunk, body] of parts.entries()) {
      await reply(db, life, { requestId: request.id, chunk, body, isLast: chunk === parts.length - 1 });
    }
  }

  const stopping = new AbortController();
  const running = (async () => {
    while (!stopping.signal.aborted) {
      await turn();
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  })();
  return {
    holderId,
    replicas: () => replicas,
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

const emptyRun: RunResult = {
  exitCode: 0,
  durationMs: 5,
  outputs: [],
  outputsSummary: {},
  stdoutTail: "",
  stderrTail: "",
  workingDir: "",
};
