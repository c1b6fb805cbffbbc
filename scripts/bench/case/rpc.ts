import { type Bench, costPerJob } from "../bench.ts";
import type { Figure } from "../figure.ts";
import { startApi, startRpcFloor } from "../program.ts";
import { startRole } from "../role.ts";

const calls = 6000;
const names = { grpc: "gRPC", connect: "Connect JSON" } as const;

/** One SubmitTask a call, 32 in flight, against the API and against a bare server that answers at once. */
export async function rpc(bench: Bench, protocol: "grpc" | "connect"): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const contestant of ["floor", "drover"] as const) {
    const program = contestant === "floor" ? await startRpcFloor(protocol) : await startApi(bench.url);
    const producer = await startRole({ contestant: protocol, role: "producer", url: program.url, profile: "drain" });
    try {
      await producer.call("submitEach", { callers: 32, count: 2000 });
      const before = await bench.counters();
      const idleCpu = program.cpuMicros();
      const { ms, cpuMicros } = await producer.call("submitEach", { callers: 32, count: calls });
      const cost = costPerJob(before, await bench.counters(), cpuMicros + program.cpuMicros() - idleCpu, calls);
      figures.push({
        metric: `submit one a call through ${names[protocol]}, 32 in flight`,
        contestant,
        value: (calls / ms) * 1000,
        unit: "calls/s",
        cost,
      });
    } finally {
      await producer.end();
      await program.end();
    }
  }
  return figures;
}
