import { toJson } from "@bufbuild/protobuf";
import { timestampMs, ValueSchema } from "@bufbuild/protobuf/wkt";
import { DroverError } from "@drover/domain/error";
import type { Run } from "@drover/proto/drover/run";
import type { Context } from "./command.ts";
import { formatDuration } from "./duration.ts";
import type { ExitCode } from "./exit.ts";
import { errorText } from "./fact.ts";
import { followRun } from "./follow-run.ts";
import type { Output } from "./output.ts";
import { createChangeLines } from "./run-change.ts";
import { createRunScreen } from "./run-screen.ts";
import { costText, endedOf, runJson } from "./run-view.ts";
import { createTails } from "./run-tail.ts";
import { cutText, printable } from "./text-width.ts";
import { runStateWord } from "./word.ts";

export interface WaitRunOptions {
  /** Show each change; else only how far it is, to a person. */
  isWatched: boolean;
}

/** Waits until a run has ended and tells how; the exit code is that of its end. */
export async function waitForRun(context: Context, id: string, { isWatched }: WaitRunOptions): Promise<ExitCode> {
  const { client, output, signal, world } = context;
  const display = isWatched ? createDisplay(context) : createProgressDisplay(output);
  try {
    const run = await followRun({ client, id, signal, onChange: display.show });
    display.end();
    if (!output.isJson) sayEnd(run, output);
    else if (!isWatched) output.json(runJson(run));
    return runStateWord(run.state) === "completed" ? 0 : 1;
  } catch (error) {
    display.end();
    const hint = `drover workflow watch ${id}`;
    if (world.stop.aborted) output.note(`The run goes on. Try: ${hint}`);
    else if (signal.aborted)
      throw new DroverError("deadline", `Run ${id} had not ended by the deadline; it goes on.`, { hint });
    throw error;
  }
}

interface Display {
  show(run: Run): void;
  end(): void;
}

function createDisplay({ client, output, signal }: Context): Display {
  if (output.isJson) return { show: (run) => output.jsonLine(runJson(run)), end: () => {} };
  if (!output.isTerminal) return { show: createChangeLines(output), end: () => {} };
  const tails = createTails({ client, signal });
  const screen = createRunScreen({ output, remarkOf: tails.lastOf });
  return {
    show(run) {
      tails.follow(run);
      screen.show(run);
    },
    end() {
      tails.stop();
      screen.end();
    },
  };
}

function createProgressDisplay(output: Output): Display {
  let progress: ReturnType<Output["progress"]> | undefined;
  return {
    show({ statistics }) {
      if (statistics === undefined) return;
      progress ??= output.progress("Running", statistics.total);
      progress.update(endedOf(statistics), statistics.failed > 0 ? `${statistics.failed} failed` : "");
    },
    end: () => progress?.clear(),
  };
}

/** Says how a run ended: its output, then a sentence with the next command. */
export function sayEnd(run: Run, output: Output): void {
  const word = runStateWord(run.state);
  const { createdAt, finishedAt } = run;
  const tookMs =
    createdAt === undefined || finishedAt === undefined ? 0 : timestampMs(finishedAt) - timestampMs(createdAt);
  const cost = run.statistics && costText(run.statistics);
  const text = `${word.replace("_", " ")} after ${formatDuration(Math.max(0, tookMs))}`;
  if (run.output !== undefined) showOutput(run, output);
  if (word === "completed")
    return output.note(`\n${output.paintError(text, "green")}${cost === undefined ? "" : `, ${cost}`}`);
  const cause = run.error === undefined ? "" : `: ${errorText(run.error)}`;
  output.complain(`\n${output.paintError(text, word === "failed" ? "red" : "yellow")}${cause}`);
  output.complain(`${output.paintError("Try:", "bold")} drover run get ${run.id}, or drover workflow resume ${run.id}`);
}

const shownLines = 40;
const shownColumns = 300;

/** The output of a run: a text as it is, else JSON; of a long one the beginning. */
export function showOutput(run: Run, output: Output): void {
  if (run.output === undefined) return;
  const value = toJson(ValueSchema, run.output);
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
  const lines = text.split("\n").map((line) => printable(line.replaceAll("\t", "  ")));
  output.line(`\n${output.paint("Output", "dim")}`);
  for (const line of lines.slice(0, shownLines)) output.line(cutText(line, shownColumns));
  if (lines.length > shownLines)
    output.note(`... ${lines.length - shownLines} lines more. Try: drover run get ${run.id} --json`);
}
