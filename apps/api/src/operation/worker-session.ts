import { DroverError } from "@drover/domain/error";

/** A registered worker that speaks to us instead of to Postgres. Its session text carries all there is to know. */
export interface WorkerSession {
  holderId: number;
  epoch: string;
}

/** Reads a session text; throws `invalid`. */
export function parseSession(text: string): WorkerSession {
  const match = /^([1-9]\d{0,9})\.([1-9]\d{0,18})$/.exec(text);
  const isInRange = Number(match?.[1]) < 2 ** 31 && BigInt(match?.[2] ?? 0) < 2n ** 63n;
  if (match?.[1] === undefined || match[2] === undefined || !isInRange) {
    throw new DroverError("invalid", `Expected the session that RegisterWorker returned, got "${text.slice(0, 50)}".`, {
      fields: [{ field: "session", message: "expected the session that RegisterWorker returned" }],
    });
  }
  return { holderId: Number(match[1]), epoch: match[2] };
}
