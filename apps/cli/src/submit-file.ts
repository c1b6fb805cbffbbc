import type { MessageInitShape } from "@bufbuild/protobuf";
import { DroverError } from "@drover/domain/error";
import type { TaskSpec, TaskSpecSchema } from "@drover/proto/drover/task";
import type { Context } from "./command.ts";
import type { ExitCode } from "./exit.ts";
import { followTasks, isTaskFinal } from "./follow.ts";
import { groupDigits } from "./progress.ts";
import { fileBytes, readTaskFile } from "./task-file.ts";
import { isGiven, policy, type SpecValues } from "./task-spec.ts";
import { taskStateWord } from "./word.ts";

const batchSize = 1000;
const shownFaults = 50;
const shownVerdicts = 50;

export interface FileValues extends SpecValues {
  wait: boolean;
  watch: boolean;
  logs: boolean;
}

interface Verdict {
  line: number;
  id?: string;
  verdict: "created" | "repeated" | "refused";
  fault?: string;
}

/** Submits a file of tasks in batches; each line has its own verdict, and a wrong one holds up no other. */
export async function submitFile(
  context: Context,
  path: string,
  values: FileValues,
  command: readonly string[],
): Promise<ExitCode> {
  refuseMixture(values, command);
  const { output, world } = context;
  const total = await fileBytes(path);
  const progress = output.progress("Submitting", total);
  const tally = createTally(context);
  let batch: { line: number; spec: TaskSpec }[] = [];
  try {
    for await (const line of readTaskFile(path, fileDefaults(values), world)) {
      if ("fault" in line) tally.add({ line: line.line, verdict: "refused", fault: line.fault });
      else batch.push({ line: line.line, spec: withKey(line.spec, values.key, line.line) });
      if (batch.length === batchSize) {
        await submitBatch(context, batch, tally);
        batch = [];
      }
      progress.update(
        total === undefined ? tally.count() : line.bytes,
        total === undefined ? "tasks" : `${groupDigits(tally.count())} tasks`,
      );
    }
    if (batch.length > 0) await submitBatch(context, batch, tally);
  } finally {
    progress.clear();
  }
  tally.end();
  const code = tally.refused() > 0 ? 1 : 0;
  if (!values.wait && !values.watch && !values.logs) return code;
  return (await waitForAll(context, tally.ids())) || code;
}

function refuseMixture(values: FileValues, command: readonly string[]): void {
  const ofOneTask = [
    "image",
    "process",
    "type",
    "payload",
    "env",
    "mount",
    "workdir",
    "cpus",
    "memory",
    "network",
    "id",
    "logs",
    "watch",
  ] as const;
  const given = ofOneTask.find((name) => isGiven(values[name]));
  if (given === undefined && command.length === 0) return;
  throw new DroverError(
    "invalid",
    `Expected ${given === undefined ? "the command" : `--${given}`} of a single task, or --file, got both.`,
    {
      hint: "drover task submit --help",
    },
  );
}

function fileDefaults(values: FileValues): MessageInitShape<typeof TaskSpecSchema> {
  return { ...policy(values), labels: values.label };
}

function withKey(spec: TaskSpec, key: string | undefined, line: number): TaskSpec {
  if (key !== undefined && spec.id === "") spec.idempotencyKey ||= `${key}:${line}`;
  return spec;
}

async function submitBatch(
  { client, signal }: Context,
  batch: readonly { line: number; spec: TaskSpec }[],
  tally: Tally,
): Promise<void> {
  const first = batch[0]?.line ?? 0;
  try {
    const { verdicts } = await client.tasks.submitTasks({ tasks: batch.map(({ spec }) => spec) }, { signal });
    for (const [index, { line }] of batch.entries()) {
      const answer = verdicts[index];
      if (answer?.fault === undefined)
        tally.add({ line, id: answer?.id ?? "", verdict: answer?.created === true ? "created" : "repeated" });
      else
        tally.add({
          line,
          ...(answer.id && { id: answer.id }),
          verdict: "refused",
          fault: `${answer.fault.reason}: ${answer.fault.message}`,
        });
    }
  } catch (error) {
    tally.end();
    tally.remark(
      `Everything before line ${first} has been submitted; of lines ${first} to ${batch.at(-1)?.line} it is not known.`,
    );
    tally.remark("With --key, or with an id in each line, the whole file can be submitted again safely.");
    throw error;
  }
}

interface Tally {
  add(verdict: Verdict): void;
  count(): number;
  refused(): number;
  ids(): string[];
  remark(text: string): void;
  /** Says the sum, and the faults. */
  end(): void;
}

function createTally({ output }: Context): Tally {
  const counts = { created: 0, repeated: 0, refused: 0 };
  const faults: Verdict[] = [];
  const ids: string[] = [];
  // A program gets every verdict as it comes; a person the first ones, below the progress bar.
  const isStreamed = output.isJson || !output.isTerminal;
  const kept: Verdict[] = [];
  return {
    add(verdict) {
      counts[verdict.verdict] += 1;
      if (verdict.verdict === "refused" && faults.length < shownFaults) faults.push(verdict);
      if (verdict.id !== undefined && verdict.verdict !== "refused") ids.push(verdict.id);
      if (output.isJson) output.jsonLine(verdict);
      else if (isStreamed) output.line([verdict.line, verdict.verdict, verdict.id ?? ""].join("\t").trimEnd());
      else if (kept.length < shownVerdicts) kept.push(verdict);
    },
    count: () => counts.created + counts.repeated + counts.refused,
    refused: () => counts.refused,
    ids: () => ids,
    remark: (text) => output.note(text),
    end() {
      if (kept.length > 0) {
        const columns = [{ heading: "LINE", align: "right" as const }, { heading: "VERDICT" }, { heading: "ID" }];
        output.table(
          columns,
          kept.map(({ line, verdict, id = "" }) => [String(line), verdict, id]),
        );
        if (ids.length > kept.length) output.note("... --json, or a pipe, gets the verdict of every line.");
      }
      for (const { line, fault = "" } of faults) output.note(`  line ${line}: ${fault}`);
      if (counts.refused > faults.length)
        output.note(`  ... and ${groupDigits(counts.refused - faults.length)} more; --json lists them all.`);
      const repeated = counts.repeated > 0 ? `, ${groupDigits(counts.repeated)} had been before` : "";
      const refused = counts.refused > 0 ? `, ${groupDigits(counts.refused)} refused` : "";
      output.note(`${groupDigits(counts.created)} submitted${repeated}${refused}.`);
    },
  };
}

async function waitForAll({ client, output, signal }: Context, ids: readonly string[]): Promise<ExitCode> {
  const progress = output.progress("Running", ids.length);
  const counts: Record<string, number> = {};
  let done = 0;
  progress.update(0);
  try {
    await followTasks({
      client,
      ids,
      signal,
      onChange(task) {
        if (!isTaskFinal(task)) return;
        const word = taskStateWord(task.state);
        counts[word] = (counts[word] ?? 0) + 1;
        done += 1;
        progress.update(done, counts["failed"] === undefined ? "" : `${counts["failed"]} failed`);
      },
    });
  } finally {
    progress.clear();
  }
  output.note(
    `${
      Object.entries(counts)
        .map(([word, count]) => `${groupDigits(count)} ${word}`)
        .join(", ") || "Nothing to wait for"
    }.`,
  );
  return done === (counts["completed"] ?? 0) ? 0 : 1;
}
