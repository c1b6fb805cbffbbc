import { writeNodeLogin } from "../../../apps/api/src/node-login.ts";
import type { Bench } from "../bench.ts";
import type { Figure } from "../figure.ts";
import { nowMs } from "../measure.ts";
import { startAgent, startApi } from "../program.ts";
import type { BenchServer } from "../server.ts";

const quietMs = 12_000; // what was done at the start has been told by then
const watchMs = 30_000;

/** Transactions a second of one process that has nothing to do. */
export async function idle(
  server: BenchServer,
  bench: Bench,
  program: "API" | "agent" | "SDK worker",
): Promise<Figure> {
  const ended = await start(bench, program);
  try {
    await server.setAutovacuum(false);
    await pause(quietMs);
    const before = await server.transactionsOf(bench.url);
    const from = nowMs();
    await pause(watchMs);
    const count = (await server.transactionsOf(bench.url)) - before;
    const value = (count / (nowMs() - from)) * 1000;
    return { metric: `idle ${program}, transactions a second`, contestant: "drover", value, unit: "/s" };
  } finally {
    await server.setAutovacuum(true);
    await ended();
  }
}

/** Resident memory of the bundled program once it is ready. */
export async function memory(bench: Bench, program: "API" | "agent"): Promise<Figure> {
  const started =
    program === "API"
      ? await startApi(bench.url, "dist/api.js")
      : await startAgent(await writeNodeLogin({ url: bench.url, name: "bench" }), { file: "dist/agent.js" });
  try {
    await pause(3000);
    return {
      metric: `bundled ${program}, resident memory`,
      contestant: "drover",
      value: started.residentMb(),
      unit: "MB",
    };
  } finally {
    await started.end();
  }
}

async function start(bench: Bench, program: "API" | "agent" | "SDK worker"): Promise<() => Promise<void>> {
  if (program === "SDK worker") {
    const worker = await bench.spawn("worker");
    await worker.call("start");
    return () => worker.call("stop").then(() => {});
  }
  const started =
    program === "API"
      ? await startApi(bench.url)
      : await startAgent(await writeNodeLogin({ url: bench.url, name: "bench" }));
  return () => started.end();
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
