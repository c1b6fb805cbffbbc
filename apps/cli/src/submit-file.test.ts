import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { TaskSchema, TaskState } from "@drover/proto/drover/task";
import { describe, expect, it } from "vitest";
import { createSubmitServer } from "./testing-submit.ts";

describe("a file of tasks", () => {
  const lines = [
    '{"id":"a","execution":{"executor":"process","command":["true"]},"timeout":"5m","retry":{"baseDelay":"250ms"}}',
    "",
    "{bad",
    '{"id":"b","type":"x","class":"gpu","priority":101}',
    '{"typ":"x"}',
    "[1]",
    '{"type":"x","labels":{"own":"1"}}',
  ].join("\n");

  it("is told line by line, wrong lines among the right ones", async () => {
    const { drover, file, json } = createSubmitServer();
    const { code, out, err } = await drover(
      "task",
      "submit",
      "--file",
      file(lines),
      "--class",
      "cpu_long",
      "-l",
      "batch=7",
      "--key",
      "k",
    );
    expect(code).toBe(1);
    const verdicts = ["1\tcreated\ta", "3\trefused", "4\trefused", "5\trefused", "6\trefused", "7\tcreated\tmade"];
    expect(out).toBe(`${verdicts.join("\n")}\n`);
    expect(err).toMatch(
      / line 3: Expected a JSON object.*\n +line 4: invalid: priority: too high\n +line 5: .*"typ" is unknown.*\n +line 6: .*\n2 submitted, 4 refused\.\n$/,
    );
    expect(json()).toEqual([
      {
        id: "a",
        class: "cpu_long",
        labels: { batch: "7" },
        execution: { executor: "EXECUTOR_PROCESS", command: ["true"] },
        timeout: "300s",
        retry: { baseDelay: "0.250s" },
      },
      { id: "b", type: "x", class: "gpu", priority: 101, labels: { batch: "7" } },
      { type: "x", class: "cpu_long", idempotencyKey: "k:7", labels: { batch: "7", own: "1" } },
    ]);
  });

  it("goes in batches of a thousand, from standard input too, with a verdict a line for programs", async () => {
    const sizes: number[] = [];
    const text = Array.from({ length: 2500 }, (_, index) => `{"id":"i${index}","type":"x"}\n`).join("");
    const { drover } = createSubmitServer({
      stdin: text,
      tasks: {
        submitTasks({ tasks }) {
          sizes.push(tasks.length);
          return { verdicts: tasks.map(({ id }) => ({ id, created: false })) };
        },
      },
    });
    const { code, out } = await drover("task", "submit", "--file", "-", "--json");
    expect(code).toBe(0);
    expect(sizes).toEqual([1000, 1000, 500]);
    expect(
      out
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as unknown)[2499],
    ).toEqual({ line: 2500, id: "i2499", verdict: "repeated" });
  });

  it("says how far it came when the API goes away", async () => {
    const { drover, file } = createSubmitServer({
      tasks: {
        submitTasks() {
          throw new ConnectError("gone", Code.Unavailable);
        },
      },
    });
    const { code, err } = await drover("task", "submit", "--file", file('\n{"type":"x"}\n{"type":"y"}\n'));
    expect(code).toBe(4);
    expect(err).toContain("Everything before line 2 has been submitted; of lines 2 to 3 it is not known.");
  });

  it("is waited for as a whole, with a bar on a terminal", async () => {
    const { drover, file } = createSubmitServer({
      columns: 100,
      tasks: {
        async *watchTasks({ ids }) {
          for (const id of ids)
            yield { task: create(TaskSchema, { id, state: id === "b" ? TaskState.FAILED : TaskState.COMPLETED }) };
        },
      },
    });
    const { code, out, err } = await drover(
      "task",
      "submit",
      "--wait",
      "--file",
      file('{"id":"a","type":"x"}\n{"id":"b","type":"x"}\n{"id":"c","type":"x"}\n'),
    );
    expect(code).toBe(1);
    expect(err).toContain("100 %  3 of 3");
    expect(err).toMatch(/2 completed, 1 failed\.\n$/);
    expect(out).toContain("VERDICT");
  });
});
