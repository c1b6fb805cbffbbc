import type { Readable } from "node:stream";
import { finished } from "node:stream/promises";
import type Docker from "dockerode";

/**
 * Returns when the container may have ended, when the call broke, or at the signal: look afterwards.
 * The engine sends its headers at once and the answer at the end. The client's own wait never returns where
 * the engine dies in between, so this one reads the reply as a stream, whose breaking shows.
 */
export async function awaitEnd(docker: Docker, id: string, signal: AbortSignal): Promise<void> {
  const aborted = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
  await Promise.race([aborted, readReply(docker, id, signal)]);
}

async function readReply(docker: Docker, id: string, abortSignal: AbortSignal): Promise<void> {
  const call = {
    path: `/containers/${id}/wait?`,
    method: "POST",
    options: { condition: "not-running" },
    statusCodes: { 200: true, 404: "no such container", 500: "server error" },
    isStream: true,
    abortSignal,
  };
  try {
    const reply = await new Promise<Readable>((resolve, reject) => {
      docker.modem.dial(call, (error: Error | null, stream: unknown) => {
        if (error === null) resolve(stream as Readable);
        else reject(error);
      });
    });
    await finished(reply.resume());
  } catch {
    return; // What happened is told by the look that follows.
  }
}
