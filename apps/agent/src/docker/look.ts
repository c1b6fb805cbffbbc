import type Docker from "dockerode";
import type { Answer } from "./answer.ts";

/** What is known of a container. Nothing destructive may follow from `unknown`. */
export type Look =
  | { state: "running"; id: string; labels: Record<string, string>; startedAt: Date }
  | StoppedLook
  | { state: "missing" }
  | { state: "unknown"; message: string };

export interface StoppedLook {
  state: "stopped";
  id: string;
  labels: Record<string, string>;
  /** Undefined: created, but never started. */
  startedAt: Date | undefined;
  finishedAt: Date | undefined;
  exitCode: number;
  isOutOfMemory: boolean;
  /** Why the engine could not start it. */
  error: string;
}

/** Reads the engine's answer to an inspection. */
export function readLook(answer: Answer<Docker.ContainerInspectInfo>): Look {
  if (!answer.ok)
    return answer.fault === "missing" ? { state: "missing" } : { state: "unknown", message: answer.message };
  const { Id: id, Config: config, State: state } = answer.value;
  const labels = config.Labels ?? {};
  const startedAt = dateOf(state.StartedAt);
  if (state.Running || state.Restarting) {
    // Seen after restarts of engines: "running" without any process. It may be either.
    if (startedAt === undefined || state.Pid === 0) {
      return { state: "unknown", message: "The engine calls the container running, but knows no process of it." };
    }
    return { state: "running", id, labels, startedAt };
  }
  return {
    state: "stopped",
    id,
    labels,
    startedAt,
    finishedAt: dateOf(state.FinishedAt),
    exitCode: state.ExitCode,
    isOutOfMemory: state.OOMKilled,
    error: state.Error,
  };
}

// The engine writes the year 1 for "never".
function dateOf(text: string): Date | undefined {
  const date = new Date(text);
  return Number.isNaN(date.getTime()) || date.getTime() <= 0 ? undefined : date;
}
