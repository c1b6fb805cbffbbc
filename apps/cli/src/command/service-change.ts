import { type Context, defineCommand } from "../command.ts";
import { environmentJson } from "../environment-view.ts";
import { waitForEnvironment } from "../environment-wait.ts";
import type { ExitCode } from "../exit.ts";
import { findEnvironment, findServices } from "../find-service.ts";
import { flagOption } from "../option.ts";

const positionals = [
  { name: "ENVIRONMENT", doc: "The environment." },
  { name: "SERVICE", doc: "Its services; none named: all.", isOptional: true, isRepeatable: true },
];

/** `drover service start` */
export const serviceStart = defineCommand({
  name: "service start",
  summary: "Start services, with everything that they depend on.",
  about: "They stay started through further generations. One that has failed begins anew.",
  positionals,
  options: { wait: flagOption({ doc: "Wait until they run, and show how they come up.", short: "w" }) },
  examples: [
    { line: "drover service start shop --wait", meaning: "Start all that was stopped" },
    { line: "drover service start lightweight kafka", meaning: "Kafka, and the ZooKeeper that it needs" },
  ],
  run: (context, { positionals: [name = "", ...services], options }) =>
    change(context, { name, services, word: "started", goal: options.wait ? "running" : undefined }),
});

/** `drover service stop` */
export const serviceStop = defineCommand({
  name: "service stop",
  summary: "Stop services; they stay stopped until they are started again.",
  positionals,
  options: { wait: flagOption({ doc: "Wait until their containers have ended.", short: "w" }) },
  examples: [{ line: "drover service stop shop page --wait", meaning: "Take the page down" }],
  run: (context, { positionals: [name = "", ...services], options }) =>
    change(context, { name, services, word: "stopped", goal: options.wait ? "stopped" : undefined }),
});

/** `drover service restart` */
export const serviceRestart = defineCommand({
  name: "service restart",
  summary: "Replace the containers of services by new ones, as their update policies allow.",
  positionals,
  options: { wait: flagOption({ doc: "Wait until the new ones run, and show how they come up.", short: "w" }) },
  examples: [{ line: "drover service restart shop redis --wait", meaning: "A new container for Redis" }],
  run: (context, { positionals: [name = "", ...services], options }) =>
    change(context, { name, services, word: "restarted", goal: options.wait ? "running" : undefined }),
});

interface Change {
  name: string;
  services: string[];
  word: "started" | "stopped" | "restarted";
  /** Absent: nobody waits. */
  goal: "running" | "stopped" | undefined;
}

const calls = { started: "startServices", stopped: "stopServices", restarted: "restartServices" } as const;

async function change(context: Context, { name, services: asked, word, goal }: Change): Promise<ExitCode> {
  const { client, output, signal } = context;
  if (asked.length > 0) findServices(await findEnvironment(context, name), asked);
  const request = { environment: name, services: asked };
  const { services } = await client.environments[calls[word]](request, { signal });
  const isJsonNow = output.isJson && goal === undefined;
  if (isJsonNow) output.json({ environment: name, services });
  if (!output.isJson) output.line(`${name}: ${services.join(", ") || "no service"} ${orders[word]}`);
  if (goal === undefined) {
    output.note(`Try: drover service status ${name}`);
    return 0;
  }
  // What is asked for by name is needed, required or not, and so is what it depends on.
  const waited = await waitForEnvironment(context, { name, goal, ...(asked.length > 0 && { services }) });
  if (output.isJson) output.json({ environment: waited.environment && environmentJson(waited.environment), services });
  return waited.code;
}

const orders = { started: "told to start", stopped: "told to stop", restarted: "told to restart" } as const;
