import { join } from "node:path";
import type { RunRequest } from "./executor.ts";
import { claimKey } from "./executor.ts";
import { payloadFile } from "./folder.ts";

/** The variables by which a task knows itself. Ours win over the task's own of the same name. */
export function taskEnvironment(
  request: RunRequest,
  facts: { workDir: string; holder: string },
): Record<string, string> {
  return {
    ...request.execution.env,
    DROVER_TASK_ID: request.taskId.replaceAll("\0", ""),
    DROVER_ATTEMPT: String(request.attempt),
    DROVER_PAYLOAD_PATH: join(facts.workDir, payloadFile),
    DROVER_RUN: claimKey(request),
    DROVER_HOLDER: facts.holder,
    DSPY_TASK_BASE: facts.workDir,
  };
}
