import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { applyWorkflow } from "../../../operation/apply-workflow.ts";
import { chain, createWorkflowBench, edgesOf, type Fields, type WorkflowBench } from "./testing.ts";

let bench: WorkflowBench;
beforeAll(async () => {
  bench = await createWorkflowBench();
});
afterAll(() => bench.close());

const caller = { namespace: "default", actor: "test" };

describe("POST /workflows", () => {
  it("saves a workflow, makes an id, sorts the tags and tells the times", async () => {
    const given = chain("Two", ["a", "b"], { description: "d", tags: ["z", "b"], tenant: "t", version: "1.2" });
    const { status, body } = await bench.send("POST", "/workflows", given);
    expect(status).toBe(201);
    const saved = body as Fields;
    expect(saved["id"]).toMatch(/^wf-[0-9a-f]{16}$/);
    expect(saved).toEqual({
      ...given,
      id: saved["id"],
      tags: ["b", "z"],
      created_at: saved["updated_at"],
      updated_at: expect.stringMatching(/^\d{4}-.*Z$/) as string,
    });
    expect(await bench.fields("GET", `/workflows/${String(saved["id"])}`)).toEqual(saved);
  });

  it("keeps an id of the client, and saves it over", async () => {
    const first = await bench.fields("POST", "/workflows", chain("Own", ["a", "b"], { id: "own" }));
    expect(first["id"]).toBe("own");
    const { status, body } = await bench.send("POST", "/workflows", chain("Own again", ["a", "b"], { id: "own" }));
    expect(status).toBe(201);
    expect(body).toMatchObject({ id: "own", name: "Own again", created_at: first["created_at"] });
  });

  it("changes nothing when it is repeated", async () => {
    const given = chain("Twice", ["a", "b"], { id: "twice" });
    const first = await bench.fields("POST", "/workflows", given);
    expect(await bench.fields("POST", "/workflows", given)).toEqual(first);
    expect(await bench.fields("GET", "/workflows/twice/history")).toEqual({ items: [] });
  });

  const node = { id: "a", name: "A", type: "signature", signature: { prompt: "p" } };
  it.each([
    ["{", /^invalid workflow payload: ./],
    ["", /^invalid workflow payload: ./],
    [[1], /^invalid workflow payload: expected an object, got a list$/],
    [{ name: 5, nodes: [node], edges: edgesOf(["a"]) }, /^invalid workflow payload: name: Expected /],
    [{ id: 5 }, /^invalid workflow payload: id: expected a text, got 5$/],
    [{ id: "x".repeat(201) }, /^invalid workflow payload: id: expected at most 200/],
    [{ ...chain("", ["a", "b"]) }, /^workflow name is required$/],
    [{ name: "n", edges: edgesOf(["a"]) }, /^workflow requires at least one node/],
    [{ name: "n", nodes: [node] }, /^workflow requires at least one edge to express flow$/],
    [{ name: "n", nodes: [node, node], edges: edgesOf(["a"]) }, /^duplicate node id "a"$/],
    [
      { name: "n", nodes: [{ ...node, signature: {} }], edges: edgesOf(["a"]) },
      /^node "a" invalid: signature prompt is required$/,
    ],
    [{ name: "n", nodes: [node], edges: edgesOf(["a", "b"]) }, /^edge "a-b" references unknown target "b"$/],
  ])("refuses %j as plain text", async (body, text) => {
    const { status, type, body: answer } = await bench.send("POST", "/workflows", body);
    expect([status, type.split(";")[0]]).toEqual([400, "text/plain"]);
    expect(answer).toMatch(text);
  });
});

describe("PUT /workflows/{id}", () => {
  it("forces the id, keeps when it was made, moves when it was changed, and keeps what was before", async () => {
    const first = await bench.fields("POST", "/workflows", chain("First", ["a", "b"], { id: "kept" }));
    const body = { ...chain("Second", ["a", "b", "c"]), id: "other", created_at: "2001-01-01T00:00:00Z" };
    const { status, body: answer } = await bench.send("PUT", "/workflows/kept", body);
    expect(status).toBe(200);
    const second = answer as Fields;
    expect(second).toMatchObject({ id: "kept", name: "Second", created_at: first["created_at"] });
    expect(timeOf(second["updated_at"])).toBeGreaterThan(timeOf(first["updated_at"]));
    await bench.send("PUT", "/workflows/kept", chain("Third", ["a", "b"]));

    const history = await bench.fields("GET", "/workflows/kept/history");
    expect(history).toEqual({
      items: [
        { id: "kept", updated_at: second["updated_at"], path: "/workflows/kept?version=2" },
        { id: "kept", updated_at: first["updated_at"], path: "/workflows/kept?version=1" },
      ],
    });
    expect(await bench.fields("GET", "/workflows/kept?version=1")).toEqual(first);
    expect(await bench.fields("GET", "/workflows/kept?version=2")).toEqual(second);
    expect((await bench.send("GET", "/workflows/kept?version=9")).status).toBe(404);
  });

  it("moves the time of a workflow that was read and saved as it is, without a further version", async () => {
    await bench.send("POST", "/workflows", chain("Same", ["a", "b"], { id: "same", tags: ["x"] }));
    const read = await bench.fields("GET", "/workflows/same");
    const saved = await bench.fields("PUT", "/workflows/same", read);
    expect(saved).toEqual({ ...read, updated_at: saved["updated_at"] });
    expect(timeOf(saved["updated_at"])).toBeGreaterThan(timeOf(read["updated_at"]));
    expect(await bench.fields("GET", "/workflows/same/history")).toEqual({ items: [] });
  });

  it("finds no workflow that was not posted, and saves none with faults", async () => {
    const missing = await bench.send("PUT", "/workflows/nobody", chain("N", ["a", "b"]));
    expect([missing.status, missing.body]).toEqual([404, "workflow not found"]);
    expect((await bench.send("PUT", "/workflows/own", { name: "x" })).status).toBe(400);
  });
});

describe("GET /workflows", () => {
  it("lists summaries, those saved last first, and workflows of other formats with what can be said", async () => {
    const source = "drover: workflow/v1\nname: native\nsteps:\n  one: {worker: x}\n  two: {worker: x, needs: one}\n";
    await applyWorkflow(bench.api.deps, caller, { source });
    const posted = chain("Listed", ["a", "b", "c"], { id: "listed", tags: ["t"], tenant: "acme", version: "7" });
    await bench.send("POST", "/workflows", posted);
    const { items } = (await bench.fields("GET", "/workflows")) as { items: Fields[] };
    expect(items.slice(0, 2)).toEqual([
      {
        id: "listed",
        name: "Listed",
        tags: ["t"],
        tenant: "acme",
        version: "7",
        updated_at: expect.any(String) as string,
        node_count: 3,
        edge_count: 2,
      },
      {
        id: "native",
        name: "native",
        version: "1",
        updated_at: expect.any(String) as string,
        node_count: 2,
        edge_count: 1,
      },
    ]);
    expect(await bench.fields("GET", "/workflows/native")).toMatchObject({
      format: "drover",
      nodes: [{ id: "one", type: "custom", custom: { kind: "task" } }, { id: "two" }],
      edges: [{ source: "one", target: "two", kind: "control" }],
    });
    const refused = await bench.send("PUT", "/workflows/native", chain("N", ["a", "b"]));
    expect(refused.status).toBe(409);
    expect(refused.body).toContain("drover workflow apply");
  });

  it.each(["/workflows/nobody", "/workflows/nobody/history", "/workflows/nobody/runs", "/workflows/a%00b"])(
    "finds nothing at %s",
    async (path) => {
      const { status, type, body } = await bench.send("GET", path);
      expect([status, type.split(";")[0], body]).toEqual([404, "text/plain", "workflow not found"]);
    },
  );

  it.each([
    ["DELETE", "/workflows", "GET, POST"],
    ["POST", "/workflows/own", "GET, PUT"],
    ["PUT", "/workflows/own/history", "GET"],
    ["DELETE", "/workflows/own/runs", "GET, POST"],
    ["POST", "/workflow-runs/run-1", "GET"],
  ])("refuses %s %s with 405", async (method, path, allow) => {
    const { status, response } = await bench.send(method, path);
    expect([status, response.headers.get("allow")]).toEqual([405, allow]);
  });

  it.each(["/workflows/own/other", "/workflow-runs", "/workflow-runs/run-1/steps"])("has no %s", async (path) => {
    expect((await bench.send("GET", path)).status).toBe(404);
  });
});

function timeOf(value: unknown): number {
  return Date.parse(String(value));
}
