import { createGrpcTransport } from "@connectrpc/connect-node";
import { createLog } from "@drover/daemon/log";
import { stopSignal } from "@drover/daemon/stop-signal";
import { openDatabase } from "@drover/db/client";
import { createWakeups } from "@drover/db/listen";
import { createDirectSource } from "@drover/worker/direct";
import { createRemoteSource } from "@drover/worker/remote";
import { createWorker, type Handler } from "@drover/worker/worker";

// A worker of the SDK as a process of its own, so that it can be killed. Says `run <task> <attempt>` for every run.

const env = (name: string, fallback = "") => process.env[`WORKER_${name}`] ?? fallback;

const handlers: Record<string, Handler> = {
  /** Gives back what it was given. */
  echo: (payload) => payload,
  /** Ends when it is told to stop. */
  hang: (_, { signal }) =>
    new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
};

async function main(): Promise<void> {
  const log = createLog({ app: "worker", level: "info" });
  const name = env("NAME", "worker");
  const types = env("TYPES", "echo").split(",");
  const databaseUrl = env("DATABASE_URL");
  const stop = stopSignal({ process });
  const db =
    databaseUrl === ""
      ? undefined
      : openDatabase({ url: databaseUrl, maxConnections: 2, applicationName: "drover-worker" });
  const wakeups = databaseUrl !== "" && env("NOTIFY") === "true" ? createWakeups({ url: databaseUrl }) : undefined;
  const source =
    db === undefined
      ? createRemoteSource({ transport: createGrpcTransport({ baseUrl: env("API_URL") }), name, types })
      : createDirectSource({ db, name, types, ...(wakeups && { wakeups }) });
  const told = Object.fromEntries(
    types.map((type) => [
      type,
      ((payload, context) => {
        process.stdout.write(`run ${context.taskId} ${context.attempt}\n`);
        return handlers[type]?.(payload, context);
      }) satisfies Handler,
    ]),
  );
  const worker = createWorker({
    source,
    handlers: told,
    concurrency: Number(env("CONCURRENCY", "16")),
    prefetch: Number(env("PREFETCH", "0")),
    log,
  });
  // Hints are a help, never a need: a database that is away at the start is polled for.
  await wakeups?.start().catch((error: unknown) => log.warn({ error }, "no hints"));
  await worker.start();
  if (!stop.aborted) await new Promise((resolve) => stop.addEventListener("abort", resolve, { once: true }));
  await worker.stop(AbortSignal.timeout(2_000));
  await wakeups?.stop();
  await db?.close();
  process.exit(0);
}

void main();
