import type { Readable } from "node:stream";
import type Docker from "dockerode";
import type { Answer } from "./answer.ts";
import { openStream } from "./engine.ts";

export interface LogReading {
  follow: boolean;
  /** Only so many of the last records. */
  tail?: number;
  /** As the engine takes it: unix seconds. */
  since?: string;
}

const openTimeoutMs = 30_000;

/** Opens a container's log, with stamps; as a stream also where it is not followed, so that a reader may be slow. */
export function openLog(
  docker: Docker,
  id: string,
  reading: LogReading,
  signal: AbortSignal,
): Promise<Answer<Readable>> {
  return openStream(
    openTimeoutMs,
    signal,
    (abortSignal) =>
      new Promise((resolve, reject) => {
        const call = {
          path: `/containers/${id}/logs?`,
          method: "GET",
          options: {
            stdout: true,
            stderr: true,
            timestamps: true,
            follow: reading.follow,
            ...(reading.tail !== undefined && { tail: reading.tail }),
            ...(reading.since !== undefined && { since: reading.since }),
          },
          statusCodes: { 200: true, 404: "no such container", 500: "server error" },
          isStream: true,
          abortSignal,
        };
        docker.modem.dial(call, (error: Error | null, stream: unknown) => {
          if (error === null) resolve(stream as Readable);
          else reject(error);
        });
      }),
  );
}
