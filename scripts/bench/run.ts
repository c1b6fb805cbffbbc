import { cpus } from "node:os";
import { caseNames, measurements, whySkipped } from "./case.ts";
import { engines, loadContestant, queues } from "./contestant.ts";
import type { Figure } from "./figure.ts";
import { installPeers } from "./peer.ts";
import { endPrograms } from "./program.ts";
import { formatReport, type Machine, summarise, toJson } from "./report.ts";
import { endRoles } from "./role.ts";
import { startServer } from "./server.ts";

/** Runs the wanted cases round by round and prints the report; returns the exit code. */
export async function runBench({ args, rounds }: { args: string[]; rounds: number }): Promise<number> {
  const isJson = args.includes("--json");
  const wanted = args.filter((arg) => arg !== "--json");
  const unknown = wanted.filter((name) => !caseNames.includes(name));
  if (unknown.length > 0) {
    console.error(`Expected cases of ${caseNames.join(", ")}, got ${unknown.join(", ")}.`);
    return 2;
  }
  const log = (line: string) => console.error(line);
  installPeers(log);
  const server = await startServer();
  const end = () => {
    endRoles();
    endPrograms();
    return server.stop();
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => void end().finally(() => process.exit(130)));

  const figures: Figure[] = [];
  let failures = 0;
  try {
    for (const name of wanted.length > 0 ? caseNames.filter((known) => wanted.includes(known)) : caseNames) {
      const reason = whySkipped(name);
      if (reason !== undefined) {
        log(`${name}: skipped, ${reason}`);
        continue;
      }
      for (let round = 1; round <= rounds; round++) {
        for (const measurement of measurements.filter(
          (one) => one.case === name && (round === 1 || !one.isSteadfast),
        )) {
          try {
            const measured = await measurement.run(server);
            figures.push(...measured);
            for (const { metric, contestant, value, unit } of measured) {
              log(`${name} ${round}/${rounds}  ${contestant}: ${metric}: ${value.toPrecision(4)} ${unit}`);
            }
          } catch (error) {
            failures += 1;
            log(
              `${name} ${round}/${rounds}  ${measurement.contestant} failed: ${error instanceof Error ? error.message : String(error)}`,
            );
          }
        }
      }
    }
    const machine = await describe(server.version);
    const results = summarise(figures);
    console.log(isJson ? toJson(machine, results) : formatReport(machine, results));
  } finally {
    await end();
  }
  return failures === 0 ? 0 : 1;
}

async function describe(postgres: string): Promise<Machine> {
  const entries = await Promise.all(
    [...new Set([...queues, ...engines, "floor" as const])].map(async (name) => {
      const { version, settings } = await loadContestant(name);
      return [name, `${version()}; ${settings}`.replace(/^; /, "")] as const;
    }),
  );
  return {
    date: new Date().toISOString().slice(0, 10),
    cores: cpus().length,
    model: cpus()[0]?.model ?? "unknown processor",
    node: process.version.slice(1),
    postgres,
    contestants: Object.fromEntries(entries),
  };
}
