import { DroverError } from "@drover/domain/error";
import type { Execution, ExecutorName } from "@drover/domain/execution";
import type { TaskDraft } from "./task-draft.ts";

/** An image runs in a container, the class's default image stands in for a missing one, and without either it is a process. */
export function chooseExecutor(
  draft: Pick<TaskDraft, "class" | "execution">,
  defaultImage: string | undefined,
): { executor: ExecutorName; execution?: Execution } {
  if (draft.execution === undefined) return { executor: "worker" };
  const { executor, ...execution } = draft.execution;
  if (executor === "process") return { executor, execution };
  const image = execution.image ?? defaultImage;
  if (image !== undefined) return { executor: "docker", execution: { ...execution, image } };
  if (executor === "docker") {
    const message = `expected an image, since class ${draft.class} has no default image; got none`;
    throw new DroverError("invalid", `execution.image: ${message}.`, {
      fields: [{ field: "execution.image", message }],
    });
  }
  return { executor: "process", execution };
}
