import { readEnvironment } from "@drover/environment/read-environment";
import { DroverError } from "@drover/domain/error";
import type { Environment, Service } from "@drover/proto/drover/environment";
import type { Context } from "./command.ts";
import { formatDuration } from "./duration.ts";
import { showEnvironments } from "./environment-screen.ts";
import { failedServices, isStopped, judgeStart, stuckServices, type Verdict } from "./environment-verdict.ts";
import type { ExitCode } from "./exit.ts";
import { followEnvironment } from "./follow-environment.ts";
import { replicaName, serviceLines, unplacedText } from "./service-view.ts";
import { findTakenBack, takenBackText } from "./taken-back.ts";
import { printable } from "./text-width.ts";
import { replicaStateWord } from "./word.ts";

export interface WaitForEnvironmentOptions {
  name: string;
  /** Until it runs, until it is stopped, until it is gone. */
  goal: "running" | "stopped" | "gone";
  /** Absent: what is required, for "running"; else all. */
  services?: readonly string[];
  /** What was applied; a newer one is not it, and one that went back to an older says that this one is lost. */
  generation?: number;
}

/** What came of waiting; undefined: the environment is gone. */
export interface Waited {
  code: ExitCode;
  environment: Environment | undefined;
}

/** Shows an environment until it is as it is waited for, and tells how that went; a program gets only what comes back. */
export async function waitForEnvironment(context: Context, options: WaitForEnvironmentOptions): Promise<Waited> {
  const { client, output, signal, world } = context;
  const { name, goal } = options;
  const asked = options.services && new Set(options.services);
  const startedAt = performance.now();
  const screen = output.isJson ? silent : showEnvironments(output, () => undefined);
  const judge = (seen: Environment): Verdict => {
    if (goal === "running") return judgeStart(seen, asked);
    return goal === "stopped" && isStopped(seen, asked) ? "ready" : "going";
  };
  let awaited = options.generation ?? Number.POSITIVE_INFINITY;
  let reason = "";
  try {
    for (;;) {
      const seenLast = await followEnvironment({
        client,
        name,
        signal,
        mayBeGone: goal === "gone",
        onChange(seen) {
          screen.show(seen);
          if (seen.generation > awaited) return true;
          reason = failureOf(seen) || reason;
          return judge(seen) !== "going";
        },
      });
      // A moment later it is gone back from: that is to be told of it, too.
      const hasFailed = seenLast?.generation === awaited && judge(seenLast) === "failed";
      const environment = hasFailed ? await lookBehind(context, seenLast, screen.show) : seenLast;
      const isNewer = environment !== undefined && environment.generation > awaited;
      const back = isNewer ? await findTakenBack(context, environment) : undefined;
      // One that is the awaited one again took back what came after it.
      const takenBack = back?.copyOf === awaited ? undefined : back;
      if (isNewer && takenBack === undefined) {
        output.note(`Generation ${environment.generation} of ${name} was applied meanwhile; waiting for that.`);
        awaited = environment.generation;
        continue;
      }
      screen.end();
      const time = `after ${formatDuration(performance.now() - startedAt)}`;
      if (environment === undefined) return sayGone(context, options, time);
      if (takenBack !== undefined) {
        if (!output.isJson) sayTakenBack(context, name, `${time}: ${takenBackText(takenBack, awaited, reason)}`);
        return { code: 1, environment };
      }
      const verdict = judge(environment);
      if (verdict === "ready") output.note(`${output.paintError(words[goal], "green")} ${time}`);
      else if (!output.isJson) sayTrouble(context, { environment, verdict, asked, time });
      return { code: verdict === "ready" || verdict === "partial" ? 0 : 1, environment };
    }
  } catch (error) {
    screen.end();
    if (world.stop.aborted) output.note(`It goes on. Try: drover env watch ${name}`);
    else if (signal.aborted)
      throw new DroverError("deadline", `Environment "${name}" was not ${words[goal]} by the deadline; it goes on.`, {
        // Which says why, where no node can run something.
        hint: `drover env get ${name}`,
      });
    throw error;
  }
}

const words = { running: "ready", stopped: "stopped", gone: "deleted" } as const;

const silent = { show: () => {}, end: () => {} };

function sayGone({ output }: Context, { goal, name }: WaitForEnvironmentOptions, time: string): Waited {
  if (goal === "gone") {
    output.note(`${output.paintError(words.gone, "green")} ${time}`);
    return { code: 0, environment: undefined };
  }
  throw new DroverError("conflict", `Environment "${name}" was deleted meanwhile.`, { hint: "drover env list" });
}

const turnMs = 5000;

/** An environment that failed; where it says that it is to be taken back then, as it is a moment later. */
async function lookBehind(
  { client, signal }: Context,
  failed: Environment,
  show: (seen: Environment) => void,
): Promise<Environment | undefined> {
  const { name, generation, source } = failed;
  if (generation < 2 || !mayGoBack(source)) return failed;
  const patience = AbortSignal.timeout(turnMs);
  const isNewer = (seen: Environment) => {
    show(seen);
    return seen.generation > generation;
  };
  try {
    return await followEnvironment({ client, name, signal: AbortSignal.any([signal, patience]), onChange: isNewer });
  } catch (error) {
    if (patience.aborted && !signal.aborted) return failed;
    throw error;
  }
}

function mayGoBack(source: string): boolean {
  const reading = readEnvironment({ text: source });
  return "declaration" in reading && reading.declaration.services.some(({ update }) => update.onFailure === "rollback");
}

function sayTakenBack({ output }: Context, name: string, text: string): void {
  output.complain(`${output.paintError("failed", "red")} ${printable(text)}.`);
  output.complain(`${output.paintError("Try:", "bold")} drover env watch ${name}, or drover env history ${name}`);
}

interface Trouble {
  environment: Environment;
  verdict: Verdict;
  asked: ReadonlySet<string> | undefined;
  time: string;
}

/** Says what did not come up, why, and where to look. */
function sayTrouble({ output }: Context, { environment, verdict, asked, time }: Trouble): void {
  const { name, pausedReason } = environment;
  if (verdict === "paused") {
    output.complain(`${output.paintError("paused", "yellow")} ${time}: ${printable(pausedReason)}`);
    const next = [`drover env get ${name}`, ...wayBack(environment)];
    return output.complain(`${output.paintError("Try:", "bold")} ${next.join(", or ")}`);
  }
  const broken = verdict === "failed" ? failedServices(environment, asked) : stuckServices(environment);
  const what = verdict === "failed" ? "failed" : "ready, but for what is not required,";
  output.complain(`${output.paintError(what, verdict === "failed" ? "red" : "yellow")} ${time}:`);
  for (const service of broken) output.complain(`  ${service.name}: ${printable(whyBroken(service))}`);
  const [first] = broken;
  const next = [...(first ? [nextCommand(name, first)] : []), ...(pausedReason === "" ? [] : wayBack(environment))];
  if (next.length > 0) output.complain(`${output.paintError("Try:", "bold")} ${next.join(", or ")}`);
}

/** What the first replica says that does not come up in the newest generation: "page/2: It ended with exit code 1." */
function failureOf({ generation, pausedReason, services }: Environment): string {
  const broken = serviceLines(services).find(
    ({ replica }) =>
      replica !== undefined &&
      replica.generation === generation &&
      ["failed", "unhealthy"].includes(replicaStateWord(replica.state)),
  );
  return pausedReason || (broken === undefined ? "" : `${replicaName(broken)}: ${broken.replica?.message ?? ""}`);
}

function wayBack({ name, generation }: Environment): string[] {
  return generation > 1 ? [`drover env rollback ${name}`] : [];
}

/** What its worst replica says, which is the reason of the service. */
function whyBroken({ state, message, instances }: Service): string {
  const worst = instances.find((replica) => replica.state === state && replica.message !== "");
  const unplaced = instances.find(({ rejections }) => rejections.length > 0);
  return (unplaced && unplacedText(unplaced)) || message || worst?.message || "It does not run.";
}

/** Where to look: its log where there was a container, else what is known of it. */
function nextCommand(environment: string, { name, instances }: Service): string {
  return instances.some(({ containerId }) => containerId !== "")
    ? `drover service logs ${environment} ${name} --tail 50`
    : `drover env get ${environment}`;
}
