import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, createRouterTransport } from "@connectrpc/connect";
import { ClassService, CreateClassRequestSchema } from "@drover/proto/drover/class";
import { CreateJoinTokenRequestSchema } from "@drover/proto/drover/node";
import {
  Executor,
  SubmitTaskRequestSchema,
  SubmitTasksRequestSchema,
  TaskService,
  TaskSpecSchema,
} from "@drover/proto/drover/task";
import { WorkerService } from "@drover/proto/drover/worker";
import { describe, expect, it } from "vitest";
import { createErrorInterceptor } from "./errors.ts";
import { createValidation } from "./validate.ts";

const validation = createValidation([TaskService, ClassService, WorkerService]);

describe("validation", () => {
  it("accepts a valid task", () => {
    expect(
      validation.faults(SubmitTaskRequestSchema, create(SubmitTaskRequestSchema, { task: { class: "gpu" } })),
    ).toEqual([]);
  });

  it("says of large limits in seconds what people call them", () => {
    const request = create(CreateJoinTokenRequestSchema, { ttlSeconds: 34_560_000 });
    expect(validation.faults(CreateJoinTokenRequestSchema, request)).toEqual([
      {
        field: "ttl_seconds",
        message: "must be greater than or equal to 0 and less than or equal to 2592000 (30 days), got 34560000",
      },
    ]);
  });

  it("names each field, what was expected and what came", () => {
    const task = {
      id: "x".repeat(201),
      class: "Bad",
      priority: 101,
      delay: { seconds: -3n },
      retry: { maxAttempts: -1 },
      labels: { "": "v" },
      execution: { executor: Executor.WORKER, mounts: [{ hostPath: "/a", mountPath: "b" }] },
    };
    const faults = validation.faults(SubmitTaskRequestSchema, create(SubmitTaskRequestSchema, { task }));
    expect(Object.fromEntries(faults.map(({ field, message }) => [field, message]))).toEqual({
      "task.id": `must be at most 200 characters, got "${"x".repeat(60)}"... (201 characters)`,
      "task.class": 'does not match regex pattern `^([a-z][a-z0-9_-]*)?$`, got "Bad"',
      "task.priority": "must be greater than or equal to -100 and less than or equal to 100, got 101",
      "task.delay": 'must be greater than or equal to 0s and less than or equal to 31536000s, got "-3s"',
      "task.retry.max_attempts": "must be greater than or equal to 0 and less than or equal to 1000, got -1",
      'task.labels[""]': 'must be at least 1 characters, got ""',
      "task.execution.executor":
        'must be one of EXECUTOR_UNSPECIFIED, EXECUTOR_DOCKER, EXECUTOR_PROCESS, got "EXECUTOR_WORKER"',
      "task.execution.command": "must contain at least 1 item(s), got 0 item(s)",
      "task.execution.mounts[0].mount_path": 'does not match regex pattern `^/`, got "b"',
    });
  });

  it("says that a required field is missing", () => {
    const faults = validation.faults(SubmitTaskRequestSchema, create(SubmitTaskRequestSchema));
    expect(faults).toEqual([{ field: "task", message: "must be set, got nothing" }]);
  });

  it("leaves the items of a batch to their verdicts, and can give these", () => {
    const batch = create(SubmitTasksRequestSchema, { tasks: [{ class: "Bad" }] });
    expect(validation.faults(SubmitTasksRequestSchema, batch)).toEqual([]);
    const [item] = batch.tasks;
    expect(validation.faults(TaskSpecSchema, item ?? create(TaskSpecSchema))).toMatchObject([{ field: "class" }]);
  });

  it("survives values without a JSON form", () => {
    const task = { delay: { seconds: 9_000_000_000_000n } };
    const faults = validation.faults(SubmitTaskRequestSchema, create(SubmitTaskRequestSchema, { task }));
    expect(faults).toMatchObject([
      { field: "task.delay", message: expect.stringContaining("got a google.protobuf.Duration") },
    ]);
  });

  it("refuses a call before its handler sees it", async () => {
    let isCalled = false;
    const interceptors = [createErrorInterceptor(), validation.interceptor];
    const transport = createRouterTransport(
      ({ service }) => service(ClassService, { createClass: () => ((isCalled = true), {}) }),
      { router: { interceptors } },
    );
    const client = createClient(ClassService, transport);
    const error = ConnectError.from(await client.createClass({ name: "Ä" }).catch((thrown: unknown) => thrown));
    expect(error.code).toBe(Code.InvalidArgument);
    expect(error.rawMessage).toBe(
      'The request is not valid: name does not match regex pattern `^[a-z][a-z0-9_-]*$`, got "Ä".',
    );
    expect(isCalled).toBe(false);
    await client.createClass(create(CreateClassRequestSchema, { name: "gpu_large" }));
    expect(isCalled).toBe(true);
  });
});
