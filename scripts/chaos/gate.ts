import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type ExecutionSchema, Executor } from "@drover/proto/drover/task";
import { testImage } from "../../apps/agent/src/docker/testing.ts";

/** Attempts that end only when the test lets them, by a file that is named after task and attempt. */
export interface Gates {
  open(id: string, attempt: number): void;
  /** A task whose attempts print `begun`, wait for their gate, print `passed` and end. */
  task(kind: "docker" | "process", id: string): { id: string; execution: MessageInitShape<typeof ExecutionSchema> };
}

/** Makes gates in a folder that agents may mount. */
export function createGates(folder: string): Gates {
  const gates = join(folder, "gate");
  mkdirSync(gates, { recursive: true });
  return {
    open: (id, attempt) => writeFileSync(join(gates, `${id}.${attempt}`), ""),
    task(kind, id) {
      const base = kind === "docker" ? "/gate" : gates;
      const script = `echo begun $DROVER_ATTEMPT; until [ -e ${base}/${id}.$DROVER_ATTEMPT ]; do sleep 0.05; done; echo passed $DROVER_ATTEMPT`;
      return {
        id,
        execution: {
          executor: kind === "docker" ? Executor.DOCKER : Executor.PROCESS,
          command: ["sh", "-c", script],
          ...(kind === "docker" && {
            image: testImage,
            mounts: [{ hostPath: gates, mountPath: "/gate", readOnly: true }],
          }),
        },
      };
    },
  };
}
