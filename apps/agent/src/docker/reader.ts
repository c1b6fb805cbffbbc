import type { Readable } from "node:stream";
import type Docker from "dockerode";
import type { Answer } from "./answer.ts";
import { type LogReading, openLog } from "./log-read.ts";
import { type ContainerUsage, readUsage } from "./stats.ts";

/** What is read of containers for those who ask, beside what keeps them running. */
export interface ContainerReader {
  openLog(id: string, reading: LogReading, signal: AbortSignal): Promise<Answer<Readable>>;
  usage(id: string): Promise<Answer<ContainerUsage>>;
}

/** Reads logs and figures over a client. */
export function createContainerReader({ docker }: { docker: Docker }): ContainerReader {
  return {
    openLog: (id, reading, signal) => openLog(docker, id, reading, signal),
    usage: (id) => readUsage(docker, id),
  };
}
