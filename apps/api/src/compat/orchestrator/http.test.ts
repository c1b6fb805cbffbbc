import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createOrchestratorBench, type OrchestratorBench } from "./testing.ts";

let bench: OrchestratorBench;

beforeAll(async () => {
  bench = await createOrchestratorBench();
});
afterAll(() => bench.close());

const execution = { image: "busybox", command: ["true"] };

describe("GET /health", () => {
  it("answers exactly what watchdogs compare", async () => {
    const response = await bench.app.request("/health");
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toContain("application/json");
    expect(await response.text()).toBe('{"status":"ok"}');
  });

  it("turns away what looks for a server while this one cannot serve", async () => {
    bench.health.report("database", { ok: false });
    const response = await bench.app.request("/health");
    bench.health.report("database", { ok: true });
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({ status: "unavailable" });
  });
});

describe("POST /queue/submit", () => {
  it("takes a task and answers its id", async () => {
    const response = await post("/queue/submit", {
      id: "http-1",
      class: "cpu_long",
      payload: { execution, tenant: "a" },
    });
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ ok: true, id: "http-1" });
    expect(await bench.client.getTaskStatus({ taskId: "http-1" })).toMatchObject({ status: "pending" });
  });

  it("takes tasks of class gpu_slurm into the queue of that name", async () => {
    const response = await post("/queue/submit", { id: "slurm-1", class: "gpu_slurm", payload: { execution } });
    expect(await response.json()).toEqual({ ok: true, id: "slurm-1" });
    expect(await (await bench.app.request("/slurm/status/slurm-1")).text()).toBe("Job not found");
  });

  it.each([[[1, 2]], ["text"], [null], [undefined], [7]])("takes the payload %j for an empty one", async (payload) => {
    const response = await post("/queue/submit", { payload });
    const { ok, id } = (await response.json()) as { ok: boolean; id: string };
    expect(ok).toBe(true);
    expect(await bench.client.getTaskStatus({ taskId: id })).toMatchObject({
      status: "failed",
      error: "payload.execution section is required",
    });
  });

  it.each(["", "{", "[]", "null", '"text"', "{'id': 1}"])("calls %j invalid JSON", async (body) => {
    const response = await bench.app.request("/queue/submit", { method: "POST", body });
    expect(response.status).toBe(400);
    expect(response.headers.get("content-type")).toContain("text/plain");
    expect(await response.text()).toBe("invalid JSON");
  });

  it.each([
    [{ id: 5 }, 400, "invalid JSON: expected id to be a text, got 5"],
    [{ class: ["gpu"] }, 400, 'invalid JSON: expected class to be a text, got ["gpu"]'],
    [{ class: "quantum" }, 400, 'got "quantum"'],
    [{ id: "http-1", payload: { other: true } }, 409, "different body"],
  ])("answers %j with %i and a text", async (body, status, text) => {
    const response = await post("/queue/submit", body);
    expect(response.status).toBe(status);
    expect(response.headers.get("content-type")).toContain("text/plain");
    expect(await response.text()).toContain(text);
  });
});

describe("GET /queue/status", () => {
  it("counts what waits and what is done", async () => {
    const counts = (await (await bench.app.request("/queue/status")).json()) as Record<string, number>;
    expect(Object.keys(counts)).toEqual(["pending", "done", "submitted", "processed", "completed"]);
    expect(counts["submitted"]).toBe((counts["pending"] ?? 0) + (counts["done"] ?? 0));
    expect(counts["pending"]).toBe(2);
    expect(counts["processed"]).toBe(counts["done"]);
    expect(counts["completed"]).toBe(0);
  });
});

describe("/api/env-queue", () => {
  it("takes tasks and lists what is pending", async () => {
    expect(await (await post("/api/env-queue/submit", { id: "env-1", payload: { execution } })).json()).toMatchObject({
      ok: true,
    });
    const stats = (await (await bench.app.request("/api/env-queue/stats")).json()) as {
      pending: number;
      items: { id: string }[];
    };
    expect(typeof stats.pending).toBe("number");
    expect(stats.items.map((item) => item.id)).toContain("env-1");
  });
});

describe("/tasks", () => {
  it("serves clients that speak HTTP only", async () => {
    const body = { task_id: "legacy-1", task_class: "gpu_short", payload: { execution } };
    expect(await (await post("/tasks", body)).json()).toEqual({ task_id: "legacy-1" });
    const answer = await (await bench.app.request("/tasks/legacy-1")).json();
    expect(answer).toEqual({
      task_id: "legacy-1",
      status: "pending",
      result: {},
      error: "",
      duration_ms: 0,
      completed_at: 0,
    });
    const missing = await bench.app.request("/tasks/nobody");
    expect(missing.status).toBe(404);
    expect(await missing.text()).toContain('no task "nobody"');
  });
});

describe("paths and methods", () => {
  it.each([
    ["GET", "/queue/submit", "POST"],
    ["PUT", "/queue/submit", "POST"],
    ["POST", "/queue/status", "GET"],
    ["DELETE", "/health", "GET"],
    ["GET", "/tasks", "POST"],
  ])("refuses %s %s with 405 and names %s", async (method, path, allow) => {
    const response = await bench.app.request(path, { method });
    expect(response.status).toBe(405);
    expect(response.headers.get("allow")).toBe(allow);
    expect(await response.text()).toBe(`Expected ${allow}, got ${method}.`);
  });

  it.each(["/queue", "/queue/other", "/api/env-queue/other", "/slurm/other"])("finds nothing at %s", async (path) => {
    expect((await bench.app.request(path)).status).toBe(404);
  });
});

function post(path: string, body: unknown) {
  return bench.app.request(path, { method: "POST", body: JSON.stringify(body) });
}
