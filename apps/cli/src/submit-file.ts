import type { MessageInitShape } from "@bufbuild/protobuf";
import { DroverError } from "@drover/domain/error";
import type { SubmitVerdict, TaskSpec, TaskSpecSchema } from "@drover/proto/drover/task";
import type { Context } from "./command.ts";
import type { ExitCode } from "./exit.ts";
import { followTasks, isTaskFinal } from "./follow.ts";
import { groupDigits } from "./progress.ts";
import { fileBytes, readTaskFile, type TaskLine } from "./task-file.ts";
import { isGiven, policy, type SpecValues } from "./task-spec.ts";
import { createTally, type Tally, type Verdict } from "./tally.ts";
import { taskStateWord } from "./word.ts";

const batchSize = 1000;

export interface FileValues extends SpecValues {
  wait: boolean;
  watch: boolean;
  logs: boolean;
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
  let batch: TaskLine[] = [];
  try {
    for await (const line of readTaskFile(path, fileDefaults(values), world)) {
      if ("spec" in line) giveKey(line.spec, values.key, line.line);
      batch.push(line);
      if (batch.length === batchSize) {
        await submitBatch(context, batch, tally);
        batch = [];
      }
      const tasks = `${groupDigits(tally.count())} tasks`;
      progress.update(total === undefined ? tally.count() : line.bytes, total === undefined ? "" : tasks);
    }
    await submitBatch(context, batch, tally);
  } finally {
    progress.clear();
  }
  tally.end();
  const code = tally.refusals() > 0 ? 1 : 0;
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

function giveKey(spec: TaskSpec, key: string | undefined, line: number): void {
  if (key !== undefined && spec.id === "") spec.idempotencyKey ||= `${key}:${line}`;
}

async function submitBatch({ client, signal }: Context, batch: readonly TaskLine[], tally: Tally): Promise<void> {
  const tasks = batch.flatMap((line) => ("spec" in line ? [line.spec] : []));
  try {
    const answers = tasks.length === 0 ? [] : (await client.tasks.submitTasks({ tasks }, { signal })).verdicts;
    const next = answers.values();
    for (const each of batch)
      tally.add({ line: each.line, ...("fault" in each ? refused(each.fault) : judge(next.next().value)) });
  } catch (error) {
    tally.end();
    const [first, last] = [batch.at(0)?.line, batch.at(-1)?.line];
    tally.remark(`Everything before line ${first} has been submitted; of lines ${first} to ${last} it is not known.`);
    tally.remark("With --key, or with an id in each line, the whole file can be submitted again safely.");
    throw error;
  }
}

function judge(answer: SubmitVerdict | undefined): Omit<Verdict, "line"> {
  if (answer === undefined) return refused("The server gave no verdict.");
  if (answer.fault !== undefined) return refused(`${answer.fault.reason}: ${answer.fault.message}`);
  return { verdict: answer.created ? "created" : "repeated", id: answer.id };
}

function refused(fault: string): Omit<Verdict, "line"> {
  return { verdict: "refused", fault };
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
