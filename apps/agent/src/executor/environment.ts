import { join } from "node:path";
import type { Owner } from "../docker/owner.ts";
import type { RunRequest } from "./executor.ts";
import { claimKey } from "./executor.ts";
import { payloadFile } from "./folder.ts";

/** The variables by which a task knows itself. Ours win over the task's own of the same name. */
export function taskEnvironment(
  request: RunRequest,
  { workDir, owner }: { workDir: string; owner: Owner },
): Record<string, string> {
  return {
    ...request.execution.env,
    DROVER_TASK_ID: request.taskId.replaceAll("\0", ""),
    DROVER_ATTEMPT: String(request.attempt),
    DROVER_PAYLOAD_PATH: join(workDir, payloadFile),
    DROVER_RUN: claimKey(request),
    DROVER_HOLDER: owner.holder,
    DROVER_INSTALLATION: owner.installation?.() ?? "",
    DSPY_TASK_BASE: workDir,
  };
}
