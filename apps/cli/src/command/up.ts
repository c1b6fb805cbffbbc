import { hostname } from "node:os";
import { join, resolve } from "node:path";
import type { Node } from "@drover/proto/drover/node";
import { type Child, startChild } from "../child.ts";
import { isImportant, readLogEntry, renderLogEntry } from "../child-log.ts";
import { type Context, defineCommand } from "../command.ts";
import { parseDuration } from "../duration.ts";
import { envManagerHost } from "../env-manager-host.ts";
import type { ExitCode } from "../exit.ts";
import { nodeJson, workText } from "../node-view.ts";
import { flagOption } from "../option.ts";
import { agentEnv, agentOptions, apiEnv, apiOptions } from "../up-option.ts";
import { endedError, programTitle, untilJoined, untilReady } from "../up-wait.ts";

/** On top of the time that a program gives itself to stop, before it is ended by force. */
const stopMarginMs = 5000;

const options = {
  ...apiOptions,
  ...agentOptions,
  verbose: flagOption({ doc: "Show all that the API and the agent log, not only warnings.", short: "v" }),
} as const;

/** `drover up` */
export const up = defineCommand({
  name: "up",
  summary: "Run everything on this machine: database, API and agent.",
  about:
    "Starts the API, with the embedded PostgreSQL unless DROVER_DATABASE_URL names another one, then an agent for this machine, " +
    "and stays until Ctrl-C. When one of the two ends, the other is stopped and the exit code is 1: nothing is restarted silently. " +
    "The settings of both, DROVER_* and DROVER_AGENT_*, hold as usual; so do the keys of providers of models, such as OPENAI_API_KEY.",
  positionals: [],
  options,
  examples: [
    { line: "drover up --process", meaning: "Everything, with tasks as processes where there is no Docker" },
    { line: "drover up --process --echo", meaning: "The same, to try workflows that call models" },
    {
      line: "drover up --data /var/lib/drover --slots cpu_short=8,cpu_long=2",
      meaning: "With a place and numbers of your own",
    },
  ],
  async run(context, { options: values }) {
    const { output, world } = context;
    const { env } = world;
    const dataDir = resolve(values.data ?? env["DROVER_DATA_DIR"] ?? ".drover");
    const name = values.node ?? env["DROVER_AGENT_NODE"] ?? defaultName(env);
    const children: Child[] = [];
    let urls = hasListeningLine(env) ? [] : configuredUrls(values.listen ?? env["DROVER_LISTEN"]);
    const onLine = narrator(context, values.verbose, (found) => (urls = found));
    try {
      output.note("Starting Drover ...");
      const apiSettings = { ...apiEnv({ ...values, data: dataDir }), DROVER_LOCAL_NODE: name };
      const api = startChild({ world, program: "api", env: apiSettings, onLine: onLine("api") });
      children.unshift(api);
      await untilReady(context, api, () => urls);
      const agentSettings = {
        ...envManagerHost(env),
        ...agentEnv({ ...values, node: name }),
        ...agentPlace(env, dataDir, name),
      };
      const agent = startChild({ world, program: "agent", env: agentSettings, onLine: onLine("agent") });
      children.unshift(agent);
      const node = await untilJoined(context, agent, urls[0] ?? "", name);
      sayUp(context, { urls, node, name, dataDir });
      const first = await Promise.race([
        aborted(world.stop),
        ...children.map((child) => child.ended.then(() => child)),
      ]);
      if (first !== undefined) throw await endedError(first);
      return await stopAll(context, children);
    } catch (error) {
      const isInterrupted = world.stop.aborted;
      const code = await stopAll(context, children);
      if (isInterrupted) return code;
      throw error;
    }
  },
});

/** The embedded database is this machine's own, so a fixed name will do; in one that hosts share, their names must differ. */
function defaultName(env: Context["world"]["env"]): string {
  return env["DROVER_DATABASE_URL"] ? hostname().toLowerCase() : "local";
}

/** Where the agent finds its login, and where its tasks work. */
function agentPlace(env: Context["world"]["env"], dataDir: string, name: string): Record<string, string> {
  return {
    // It refuses to be given two logins.
    ...(env["DROVER_AGENT_DATABASE_URL"] ? {} : { DROVER_AGENT_DATABASE_URL_FILE: join(dataDir, `node-${name}.url`) }),
    DROVER_AGENT_TASK_DIR: env["DROVER_AGENT_TASK_DIR"] ?? join(dataDir, "task"),
  };
}

/** Whether the API will log its addresses; with port 0 that is the only way to learn them. */
function hasListeningLine(env: Context["world"]["env"]): boolean {
  return ["info", "debug", "trace"].includes(env["DROVER_LOG_LEVEL"] || "info");
}

function configuredUrls(listen: string | undefined): string[] {
  return (listen || "127.0.0.1:9097,127.0.0.1:50052,127.0.0.1:50100")
    .split(",")
    .map((address) => `http://${address.trim()}`);
}

/** Shows what the programs log, and finds the addresses in it. */
function narrator(
  { output }: Context,
  isVerbose: boolean,
  onUrls: (urls: string[]) => void,
): (name: string) => (line: string) => void {
  return (name) => (line) => {
    const entry = readLogEntry(line);
    const { urls } = entry.fields;
    if (entry.message === "listening" && Array.isArray(urls)) onUrls(urls.map(String));
    if (!isVerbose && !isImportant(entry)) return;
    output.complain(output.isJson ? line : renderLogEntry(entry, name, output.paintError));
  };
}

interface Facts {
  urls: readonly string[];
  node: Node | undefined;
  name: string;
  dataDir: string;
}

function sayUp({ output, world }: Context, { urls, node, name, dataDir }: Facts): void {
  const isEmbedded = !world.env["DROVER_DATABASE_URL"];
  if (output.isJson) return output.jsonLine({ urls, node: node === undefined ? { name } : nodeJson(node), dataDir });
  const work = node === undefined ? "has not joined yet" : workText(node);
  output.line(output.paint("Drover is up.", "green"));
  output.facts([
    ["  API", urls.join("  ")],
    ["  Node", `${name} ${work}`],
    ["  Data", isEmbedded ? dataDir : "the PostgreSQL of DROVER_DATABASE_URL"],
  ]);
  const executor = node?.executors.includes("process") === true ? "--process" : "--image busybox";
  const address = urls[0] === "http://127.0.0.1:9097" ? "" : ` --address ${urls[0]}`;
  output.note(`Try: drover task submit${address} ${executor} --logs -- echo hello`);
  output.note("Ctrl-C stops it.");
}

/** The agent first, since it hands back what it holds through the database that the API may take with it. */
async function stopAll({ output, world }: Context, children: readonly Child[]): Promise<ExitCode> {
  let code: ExitCode = 0;
  for (const child of children) {
    if (child.hasEnded) continue;
    output.note(`Stopping the ${programTitle[child.name]} ...`);
    const setting = child.name === "api" ? "DROVER_STOP_SECONDS" : "DROVER_AGENT_STOP_SECONDS";
    const ownMs = parseDuration(world.env[setting] ?? "") ?? 20_000;
    if (await child.stop(ownMs + stopMarginMs)) continue;
    output.complain(`The ${programTitle[child.name]} did not stop cleanly (${await child.ended}).`);
    code = 1;
  }
  return code;
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((settle) => {
    if (signal.aborted) settle(undefined);
    signal.addEventListener("abort", () => settle(undefined), { once: true });
  });
}
