import { create, fromJson, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs, ValueSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { type Run, RunSchema, RunState, RunStepSchema, StepState } from "@drover/proto/drover/run";
import { describe, expect, it } from "vitest";
import { createTestDrover, type TestDroverOptions } from "./testing.ts";

const startedAt = timestampFromMs(Date.UTC(2026, 0, 1));
const finishedAt = timestampFromMs(Date.UTC(2026, 0, 1, 0, 0, 12));

function run(state: Run["state"], ...steps: MessageInitShape<typeof RunStepSchema>[]): Run {
  const isOver = state !== RunState.RUNNING && state !== RunState.PENDING;
  const completed = steps.filter((step) => step.state === StepState.COMPLETED).length;
  return create(RunSchema, {
    id: "run-1",
    workflow: "report",
    version: 2,
    state,
    createdAt: startedAt,
    startedAt,
    ...(isOver && { finishedAt, output: fromJson(ValueSchema, { pages: 3 }) }),
    statistics: { total: steps.length, completed },
    steps: steps.map((step) => create(RunStepSchema, { item: -1, ...step })),
  });
}

const step = (id: string, state: StepState, more: MessageInitShape<typeof RunStepSchema> = {}) => ({
  id,
  state,
  ...more,
});
const extract = (state: StepState, itemsEnded: number) =>
  step("extract", state, { itemsEnded, itemsTotal: 100, startedAt });
const end = (state: StepState) => step("end", state, { needs: ["extract"] });

const life = [
  run(RunState.RUNNING, extract(StepState.RUNNING, 1), end(StepState.PENDING)),
  run(RunState.RUNNING, extract(StepState.RUNNING, 2), end(StepState.PENDING)),
  run(RunState.RUNNING, extract(StepState.RUNNING, 37), end(StepState.PENDING)),
  run(RunState.COMPLETED, extract(StepState.COMPLETED, 100), end(StepState.COMPLETED)),
];

function watching(runs: readonly Run[], options: TestDroverOptions = {}) {
  return createTestDrover({
    runs: {
      async *watchRun() {
        for (const each of runs) yield { run: each };
      },
    },
    ...options,
  });
}

describe("watching a run", () => {
  it("says each change in a line where nobody looks: states, and every tenth of the items", async () => {
    const { code, out, err } = await watching(life)("run", "watch", "run-1");
    expect(code).toBe(0);
    expect(out.replace(/\d\d:\d\d:\d\d/g, "TIME")).toBe(
      [
        "TIME  run-1  running",
        "TIME  extract  running  1 of 100 items",
        "TIME  extract  running  37 of 100 items",
        "TIME  extract  completed  100 of 100 items",
        "TIME  end  completed",
        "TIME  run-1  completed",
        '\nOutput\n{\n  "pages": 3\n}\n',
      ].join("\n"),
    );
    expect(err).toBe("\ncompleted after 12s\n");
  });

  it("writes one JSON object for each change, the last with the output", async () => {
    const { out } = await watching(life)("workflow", "watch", "run-1", "--json");
    const lines = out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as object);
    expect(lines).toHaveLength(4);
    expect(lines[0]).toMatchObject({
      state: "running",
      steps: [{ id: "extract", state: "running", itemsEnded: 1 }, {}],
    });
    expect(lines[3]).toMatchObject({ state: "completed", output: { pages: 3 } });
  });

  it("draws the graph in its place on a terminal, and leaves its end", async () => {
    const { out } = await watching(life, { columns: 80 })("run", "watch", "run-1", "--no-color");
    const frames = out.split("\u001B[?7l");
    expect(frames).toHaveLength(5);
    expect(frames[1]).toContain("extract  running  1/100");
    // Up to the first of five lines, without removing them first.
    expect(frames[2]?.startsWith("\r\u001B[5Areport 2  run-1  running  0 of 2 steps")).toBe(true);
    expect(frames[4]).toContain("\r\u001B[5A\u001B[Jreport 2  run-1  completed  2 of 2 steps  12s\n\nSTEP ");
    expect(frames[4]?.split("\u001B[J").at(-1)).toMatch(/\nextract +completed +100\/100 .*\nend +completed/);
  });

  it.each([
    [RunState.FAILED, "failed"],
    [RunState.PARTIALLY_COMPLETED, "partially completed"],
    [RunState.CANCELLED, "cancelled"],
  ])("ends with 1 and the next command when the run has ended in state %i", async (state, word) => {
    const ended = run(state, step("a", StepState.FAILED, { error: { class: "exit_nonzero", message: "It broke." } }));
    ended.error = create(RunSchema, { error: { class: "step_failed", message: "1 of 1 steps failed." } }).error;
    const { code, out, err } = await watching([ended])("run", "watch", "run-1");
    expect(code).toBe(1);
    expect(out).toContain("a  failed  exit_nonzero: It broke.\n");
    expect(err).toBe(
      `\n${word} after 12s: step_failed: 1 of 1 steps failed.\nTry: drover run get run-1, or drover workflow resume run-1\n`,
    );
  });

  it.each([
    ["is refused for a moment", () => new ConnectError("The server is stopping.", Code.Unavailable)],
    ["is cut", () => new ConnectError("aborted", Code.Aborted)],
    ["ends too early", () => undefined],
  ])("goes on where the stream %s, and says nothing twice", async (_, fault) => {
    let calls = 0;
    const drover = createTestDrover({
      runs: {
        async *watchRun() {
          calls += 1;
          for (const each of calls < 3 ? life.slice(0, 2) : life) yield { run: each };
          const error = fault();
          if (calls < 3 && error !== undefined) throw error;
        },
      },
    });
    const { code, out } = await drover("run", "watch", "run-1");
    expect({ code, calls }).toEqual({ code: 0, calls: 3 });
    expect(out.match(/ {2}run-1 {2}running/g)).toHaveLength(1);
    expect(out.match(/ {2}extract {2}/g)).toHaveLength(3);
  });

  it("does not go on where the server refuses for good", async () => {
    const drover = createTestDrover({
      runs: {
        // eslint-disable-next-line require-yield
        async *watchRun() {
          throw new ConnectError('Run "run-1" does not exist.', Code.NotFound);
        },
      },
    });
    expect(await drover("run", "watch", "run-1")).toEqual({
      code: 3,
      out: "",
      err: 'Error: Run "run-1" does not exist.\nTry: drover run list\n',
    });
  });

  it("leaves the run alone when it is interrupted or the deadline passes, and says how to go on", async () => {
    const forever: TestDroverOptions["runs"] = {
      async *watchRun(_, { signal }) {
        yield { run: life[0] ?? {} };
        await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
      },
    };
    const late = await createTestDrover({ runs: forever })("run", "watch", "run-1", "--deadline", "1s");
    expect(late).toMatchObject({
      code: 5,
      err: expect.stringContaining("it goes on.\nTry: drover workflow watch run-1\n"),
    });
    const stop = new AbortController();
    const waiting = createTestDrover({ runs: forever, stop: stop.signal })("run", "watch", "run-1");
    stop.abort("SIGINT");
    expect(await waiting).toMatchObject({ code: 130, err: expect.stringContaining("Interrupted.\n") });
  });
});

describe("a drawing of too many steps", () => {
  it("shows what happens and what comes next, and counts the others", async () => {
    const many = Array.from({ length: 100 }, (_, index) =>
      step(`s${index}`, index < 60 ? StepState.COMPLETED : index === 60 ? StepState.RUNNING : StepState.PENDING, {
        needs: index === 0 ? [] : [`s${index - 1}`],
      }),
    );
    const { out } = await watching([run(RunState.RUNNING, ...many), run(RunState.COMPLETED, ...many)], { columns: 80 })(
      "run",
      "watch",
      "run-1",
      "--no-color",
    );
    const [, frame = ""] = out.split("\u001B[?7l");
    expect(frame.split("\n").length).toBeLessThanOrEqual(24);
    expect(frame).toMatch(/\ns60 +running/);
    expect(frame).toMatch(/\ns61 +pending/);
    expect(frame).toMatch(/\n\.\.\. and 8\d steps more: 60 completed, 2\d pending/);
  });
});
