import { deadlineAfter } from "@drover/daemon/deadline";
import type { Probe } from "@drover/domain/environment/declaration";
import type { Inspection, ServiceEngine } from "../../docker/service-engine.ts";
import { findAddress } from "./address.ts";
import { probeGrpc } from "./grpc.ts";
import { probeHttp } from "./http.ts";
import { probeRedis, probeTcp } from "./socket.ts";

export interface ProbeAnswer {
  isHealthy: boolean;
  /** Why not, as a phrase or sentence. */
  message: string;
}

export interface ProbeTarget {
  containerId: string;
  inspection: Inspection;
}

/** Makes one probe; it ends within the time, and never throws. */
export async function probe(
  engine: ServiceEngine,
  { containerId, inspection }: ProbeTarget,
  how: Probe,
  timeoutMs: number,
): Promise<ProbeAnswer> {
  const late: ProbeAnswer = { isHealthy: false, message: `No answer within ${timeoutMs / 1000} s.` };
  const signal = deadlineAfter(timeoutMs);
  try {
    if (how.kind === "command") return await probeCommand(engine, containerId, how.command, timeoutMs);
    if (how.kind === "url") return await probeHttp({ url: how.url, signal });
    const address = findAddress(inspection, how.port);
    if (address === undefined) {
      return { isHealthy: false, message: `Its container has no address at which port ${how.port} could be reached.` };
    }
    const { host, port } = address;
    switch (how.kind) {
      case "http": {
        const name = host.includes(":") ? `[${host}]` : host;
        const url = `${how.scheme}://${name}:${port}${how.path}`;
        // By an address no certificate can be checked.
        return await probeHttp({ url, signal, isUnchecked: true, ...(how.headers && { headers: how.headers }) });
      }
      case "tcp":
        return await probeTcp(address, signal);
      case "redis":
        return await probeRedis(address, signal);
      case "grpc":
        return await probeGrpc(address, how.service ?? "", signal);
    }
  } catch (error) {
    if (signal.aborted) return late;
    return { isHealthy: false, message: reasonOf(error) };
  }
}

async function probeCommand(
  engine: ServiceEngine,
  containerId: string,
  command: readonly string[],
  timeoutMs: number,
): Promise<ProbeAnswer> {
  const answer = await engine.run(containerId, command, timeoutMs);
  if (!answer.ok) return { isHealthy: false, message: answer.message };
  const { exitCode, output } = answer.value;
  if (exitCode === 0) return { isHealthy: true, message: "" };
  const said = output.trim().slice(-outputChars);
  return {
    isHealthy: false,
    message: `The command ended with exit code ${exitCode}${said === "" ? "." : `: ${said}`}`,
  };
}

const outputChars = 300;

// Where several addresses were tried, the first failure tells as much as all of them.
function reasonOf(error: unknown): string {
  const one = error instanceof AggregateError ? (error.errors[0] as unknown) : error;
  return one instanceof Error ? one.message : String(one);
}
