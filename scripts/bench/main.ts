import type { ContestantName, Profile } from "./contestant.ts";

// main.ts [case...] [--json]      measures Drover beside the floors and two peers; RUNS=5 for other than three rounds
// main.ts child|rpc-floor ...     is what it starts to measure: each contestant in processes of its own

const [mode = "", ...rest] = process.argv.slice(2);
switch (mode) {
  case "child": {
    const { runChild } = await import("./child.ts");
    await runChild(rest as [ContestantName, "producer" | "worker", string, Profile]);
    break;
  }
  case "rpc-floor": {
    const { runRpcFloor } = await import("./rpc-floor.ts");
    await runRpcFloor(rest);
    break;
  }
  default: {
    const { runBench } = await import("./run.ts");
    process.exit(await runBench({ args: process.argv.slice(2), rounds: Number(process.env["RUNS"] ?? 3) }));
  }
}
