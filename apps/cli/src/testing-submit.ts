import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { toJson } from "@bufbuild/protobuf";
import { type TaskSpec, TaskSpecSchema } from "@drover/proto/drover/task";
import { onTestFinished } from "vitest";
import { createTestDrover, type TestDroverOptions } from "./testing.ts";

/** A server that notes what it is given and answers as told. */
export function createSubmitServer({ tasks = {}, ...options }: TestDroverOptions = {}) {
  const submitted: TaskSpec[] = [];
  const folder = mkdtempSync(join(tmpdir(), "drover-cli-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const own: TestDroverOptions["tasks"] = {
    submitTask({ task }) {
      if (task !== undefined) submitted.push(task);
      return { id: "t1", created: true };
    },
    submitTasks(request) {
      submitted.push(...request.tasks);
      return {
        verdicts: request.tasks.map(({ id, priority }) =>
          priority > 100
            ? { id, fault: { reason: "invalid", message: "priority: too high" } }
            : { id: id || "made", created: true },
        ),
      };
    },
    ...tasks,
  };
  const drover = createTestDrover({ tasks: own, ...options });
  const file = (text: string) => {
    const path = join(folder, "input");
    writeFileSync(path, text);
    return path;
  };
  return { drover, submitted, file, json: () => submitted.map((spec) => toJson(TaskSpecSchema, spec)) };
}
