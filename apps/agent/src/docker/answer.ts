import { deadlineAfter } from "@drover/daemon/deadline";
/** What the engine answered. `unknown`: no answer came, so nothing may be concluded from it. */
export type Answer<T> = { ok: true; value: T } | { ok: false; fault: EngineFault; message: string };

export type EngineFault =
  | "missing" // 404
  | "conflict" // 409
  | "refused" // another 4xx: the request itself is wrong
  | "failed" // 5xx: the engine tried
  | "unknown"; // no connection, a broken one, or no reply in time

/** Makes one call to the engine that ends within the time, whatever the engine does. */
export async function ask<T>(timeoutMs: number, call: (signal: AbortSignal) => Promise<T>): Promise<Answer<T>> {
  const signal = deadlineAfter(timeoutMs);
  const late = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(new Error(`The engine did not answer within ${timeoutMs} ms.`)), {
      once: true,
    });
  });
  try {
    return { ok: true, value: await Promise.race([call(signal), late]) };
  } catch (error) {
    return faultOf(error);
  }
}

/** Reads an error of the client as an answer; 304 (already so) is no fault and is left to the caller. */
export function faultOf(error: unknown): { ok: false; fault: EngineFault; message: string } {
  const status = error instanceof Error && "statusCode" in error ? Number(error.statusCode) : 0;
  const message = error instanceof Error ? reasonOf(error) : String(error);
  if (status === 404) return { ok: false, fault: "missing", message };
  if (status === 409) return { ok: false, fault: "conflict", message };
  if (status >= 400 && status < 500) return { ok: false, fault: "refused", message };
  return { ok: false, fault: status >= 500 ? "failed" : "unknown", message };
}

function reasonOf(error: Error): string {
  const body = "json" in error ? error.json : undefined;
  if (typeof body === "object" && body !== null && "message" in body) return String(body.message);
  // The client's own words before those of the engine.
  return error.message.trim().replace(/^\(HTTP code \d+\) [^-]{1,60} - /, "");
}
