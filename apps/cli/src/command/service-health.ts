import { toJson } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import {
  type Service,
  type StreamServiceHealthResponse,
  StreamServiceHealthResponseSchema,
} from "@drover/proto/drover/environment";
import { type Context, defineCommand } from "../command.ts";
import type { ExitCode } from "../exit.ts";
import { findEnvironment, findServices } from "../find-service.ts";
import { durationOption, flagOption } from "../option.ts";
import { usageError } from "../parse.ts";
import { isMany } from "../service-view.ts";
import type { Cell } from "../table.ts";
import { printable } from "../text-width.ts";

const commandName = "service health";

/** `drover service health` */
export const serviceHealth = defineCommand({
  name: commandName,
  summary: "Probe services now, and every so often until you leave.",
  about: "Each replica is probed on its own node. With --once exits 1 where one is unhealthy.",
  positionals: [
    { name: "ENVIRONMENT", doc: "The environment." },
    { name: "SERVICE", doc: "Its services; none named: all.", isOptional: true, isRepeatable: true },
  ],
  options: {
    interval: durationOption({ doc: "Time between two rounds, in whole seconds; 10s." }),
    once: flagOption({ doc: "One round, then leave." }),
  },
  examples: [
    { line: "drover service health shop --once", meaning: "Is all well now?" },
    { line: "drover service health shop redis --interval 2s", meaning: "Keep an eye on Redis" },
  ],
  async run(context, { positionals: [name = "", ...named], options }) {
    const intervalSeconds = (options.interval ?? 10_000) / 1000;
    if (!Number.isInteger(intervalSeconds) || intervalSeconds < 1 || intervalSeconds > 3600) {
      const message = `Expected --interval in whole seconds from 1s to 1h, got ${intervalSeconds}s.`;
      throw usageError(commandName, [{ field: "--interval", message }]);
    }
    const environment = await findEnvironment(context, name);
    const chosen = findServices(environment, named).filter(({ isStopped }) => named.length > 0 || !isStopped);
    if (chosen.length === 0 && named.length === 0) {
      if (context.output.isJson && options.once) context.output.json([]);
      context.output.note(`All services of ${name} are stopped. Try: drover service start ${name}`);
      return 0;
    }
    const services = named.length === 0 ? chosen.map((service) => service.name) : named;
    const request = { environment: name, services, intervalSeconds };
    return options.once ? probeOnce(context, request, chosen) : probe(context, request, chosen);
  },
});

interface HealthRequest {
  environment: string;
  services: string[];
  intervalSeconds: number;
}

async function probe(
  { client, output, signal }: Context,
  request: HealthRequest,
  chosen: readonly Service[],
): Promise<ExitCode> {
  for await (const answer of client.environments.streamServiceHealth(request, { signal, timeoutMs: 0 })) {
    if (output.isJson) output.jsonLine(healthJson(answer));
    else {
      const time = new Date(answer.at === undefined ? Date.now() : timestampMs(answer.at)).toTimeString().slice(0, 8);
      const { text, color } = verdictCell(answer);
      const name = nameOf(answer, chosen);
      const parts = [output.paint(time, "dim"), name, output.paint(text, color), printable(answer.message)];
      output.line(parts.filter(Boolean).join("  "));
    }
  }
  return 0;
}

/** Rounds have no mark: one is over when everybody was heard, or somebody a second time. */
async function probeOnce(
  { client, output, signal }: Context,
  request: HealthRequest,
  chosen: readonly Service[],
): Promise<ExitCode> {
  const open = new Set(
    chosen.flatMap(({ name, instances }) =>
      instances.length === 0 ? [`${name}/0`] : instances.map(({ number }) => `${name}/${number}`),
    ),
  );
  const answers: StreamServiceHealthResponse[] = [];
  const leave = new AbortController();
  const signals = { signal: AbortSignal.any([signal, leave.signal]), timeoutMs: 0 };
  for await (const answer of client.environments.streamServiceHealth(request, signals)) {
    if (answers.some((one) => keyOf(one) === keyOf(answer))) break;
    answers.push(answer);
    open.delete(keyOf(answer));
    if (open.size === 0) break;
  }
  leave.abort();
  if (output.isJson) output.json(answers.map(healthJson));
  else
    output.table(
      healthColumns,
      answers.toSorted(byName).map((answer) => healthRow(answer, chosen)),
    );
  return answers.every(({ healthy }) => healthy) ? 0 : 1;
}

const healthColumns = [
  { heading: "SERVICE" },
  { heading: "HEALTH" },
  { heading: "NODE" },
  { heading: "NOTE", isFlexible: true },
];

function healthRow(answer: StreamServiceHealthResponse, chosen: readonly Service[]): (Cell | string)[] {
  return [nameOf(answer, chosen), verdictCell(answer), answer.details["node"] ?? "-", answer.message];
}

function healthJson(answer: StreamServiceHealthResponse) {
  return toJson(StreamServiceHealthResponseSchema, answer, { alwaysEmitImplicit: true });
}

function verdictCell({ healthy }: StreamServiceHealthResponse): Cell {
  return healthy ? { text: "healthy", color: "green" } : { text: "unhealthy", color: "red" };
}

function keyOf({ service, replica }: StreamServiceHealthResponse): string {
  return `${service}/${replica}`;
}

function byName(a: StreamServiceHealthResponse, b: StreamServiceHealthResponse): number {
  return a.service === b.service ? a.replica - b.replica : a.service < b.service ? -1 : 1;
}

/** With its number where there are several. */
function nameOf({ service, replica }: StreamServiceHealthResponse, chosen: readonly Service[]): string {
  const found = chosen.find(({ name }) => name === service);
  return found !== undefined && isMany(found) && replica > 0 ? `${service}/${replica}` : service;
}
