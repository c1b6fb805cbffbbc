import { PlanEnvironmentRequestSchema } from "@drover/proto/drover/environment";
import { SubmitTaskRequestSchema } from "@drover/proto/drover/task";
import { describe, expect, it } from "vitest";
import { startTestServer } from "../listen/testing.ts";
import { unknownFields } from "./unknown-field.ts";

describe("unknownFields", () => {
  const found = (schema: Parameters<typeof unknownFields>[0], value: unknown) =>
    unknownFields(schema, JSON.stringify(value)).map(({ field, message }) => `${field} ${message}`);

  it("names keys that the contract does not have, wherever they are, and what was meant", () => {
    expect(found(PlanEnvironmentRequestSchema, { sourc: "x" })).toEqual([
      'sourc is no field of PlanEnvironmentRequest: did you mean "source"?',
    ]);
    const task = { clas: "gpu", retry: { max_attempts: 2, tries: 3 }, labels: { any: "1" }, delay: "1s" };
    expect(found(SubmitTaskRequestSchema, { task, other: 1 })).toEqual([
      'task.clas is no field of TaskSpec: did you mean "class"?',
      "task.retry.tries is no field of RetryPolicy",
      "other is no field of SubmitTaskRequest",
    ]);
  });

  it("has nothing to say of what is no object of JSON, or was not kept", () => {
    expect(unknownFields(PlanEnvironmentRequestSchema, undefined)).toEqual([]);
    expect(unknownFields(PlanEnvironmentRequestSchema, "{")).toEqual([]);
    expect(found(PlanEnvironmentRequestSchema, [1])).toEqual([]);
  });
});

describe("a request in JSON", () => {
  async function post(path: string, body: unknown) {
    const { url } = await startTestServer();
    const headers = { "content-type": "application/json" };
    const answer = await fetch(`${url}${path}`, { method: "POST", headers, body: JSON.stringify(body) });
    return { status: answer.status, body: (await answer.json()) as { code?: string; message?: string } };
  }

  it("is told of the key that it misspells where it is refused, and taken where that changes nothing", async () => {
    const submit = "/drover.v1.TaskService/SubmitTask";
    const refused = await post(submit, { task: { id: "x".repeat(201), clas: "gpu" } });
    expect(refused).toMatchObject({ status: 400, body: { code: "invalid_argument" } });
    expect(refused.body.message).toContain('task.clas is no field of TaskSpec: did you mean "class"?; task.id must be');
    expect(await post(submit, { task: { id: "a", newer: true } })).toMatchObject({ status: 200, body: { id: "a" } });
  });

  it("to a method that is not there is answered in JSON", async () => {
    expect(await post("/drover.v1.TaskService/Submit", {})).toEqual({
      status: 404,
      body: { code: "unimplemented", message: "This server has no method /drover.v1.TaskService/Submit." },
    });
  });
});
