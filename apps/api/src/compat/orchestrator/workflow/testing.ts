import { createClient } from "@connectrpc/connect";
import { register } from "@drover/db/node/register";
import { complete, fail } from "@drover/db/node/settle";
import { claim, type WorkerClaim } from "@drover/db/node/sync";
import type { Json } from "@drover/domain/json";
import { OrchestratorService } from "@drover/proto/orchestrator/orchestrator";
import { createTestApi } from "../../../testing.ts";

/** The API, and a worker that does what tests tell it to. */
export async function createWorkflowBench() {
  const api = await createTestApi();
  const facts = { taskTypes: ["*"], classes: null, slots: {}, facts: {}, version: "test", executors: ["worker"] };
  const holder = await register(api.db, { kind: "worker", name: "w", namespace: "default", ...facts });
  const send = async (method: string, path: string, body?: unknown) => {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const response = await api.app.request(path, { method, ...(body !== undefined && { body: text }) });
    const type = response.headers.get("content-type") ?? "";
    const content = await response.text();
    return { status: response.status, type, body: type.includes("json") ? parse(content) : content, response };
  };
  return {
    api,
    client: createClient(OrchestratorService, api.transport),
    send,
    /** The fields of a JSON answer. */
    async fields(method: string, path: string, body?: unknown): Promise<Fields> {
      return (await send(method, path, body)).body as Fields;
    },
    claim: async () => {
      await api.settleRuns();
      return claim(api.db, holder, 100);
    },
    /** Ends claims, then advances. Those whose node is named fail. */
    async settle(claims: readonly WorkerClaim[], failing: readonly string[] = []) {
      const nodeOf = (one: WorkerClaim) => String((one.payload as Fields)["node_id"]);
      const named = (one: WorkerClaim) => ({ taskKey: one.task_id, fence: one.fence });
      const [good, bad] = [
        claims.filter((one) => !failing.includes(nodeOf(one))),
        claims.filter((one) => failing.includes(nodeOf(one))),
      ];
      const results = good.map((one) => ({ ...named(one), result: JSON.stringify({ text: `did ${nodeOf(one)}` }) }));
      await complete(api.db, holder, results);
      await fail(
        api.db,
        holder,
        bad.map((one) => ({ ...named(one), class: "error", message: "it broke" })),
      );
      await api.settleRuns();
    },
    close: () => api.close(),
  };
}

export type WorkflowBench = Awaited<ReturnType<typeof createWorkflowBench>>;
export type Fields = { [key: string]: Json };

/** A workflow of signature nodes, each after the one before it. */
export function chain(name: string, ids: readonly string[], more: Fields = {}): Fields {
  const nodes = ids.map((id) => ({ id, name: `Node ${id}`, type: "signature", signature: { prompt: `do ${id}` } }));
  return { name, ...more, nodes, edges: edgesOf(ids) };
}

/** Edges from each id to the next; of one alone to itself, since the format wants an edge. */
export function edgesOf(ids: readonly string[]): Fields[] {
  const [first = ""] = ids;
  const pairs = ids.length === 1 ? [[first, first]] : ids.slice(1).map((id, place) => [ids[place] ?? "", id]);
  return pairs.map(([source = "", target = ""]) => ({ id: `${source}-${target}`, source, target, kind: "data" }));
}

function parse(text: string): Json {
  return JSON.parse(text) as Json;
}
