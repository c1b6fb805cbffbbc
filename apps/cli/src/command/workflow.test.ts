import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Code, ConnectError } from "@connectrpc/connect";
import type { StartRunRequest } from "@drover/proto/drover/run";
import { describe, expect, it, onTestFinished } from "vitest";
import { createTestDrover, type TestDroverOptions } from "../testing.ts";

const good = "drover: workflow/v1\nname: hello\nsteps:\n  say: { value: hi }\n";
const bad = "drover: workflow/v1\nname: hello\nsteps:\n  say: { valeu: hi }\n  too: { value: '${steps.sya.output}' }\n";

function setup(options: TestDroverOptions = {}) {
  const folder = mkdtempSync(join(tmpdir(), "drover-workflow-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const started: StartRunRequest[] = [];
  const drover = createTestDrover({
    workflows: { applyWorkflow: () => ({ workflow: { name: "hello", version: 3 }, created: true }) },
    runs: {
      startRun(request) {
        started.push(request);
        return { id: "run-1", created: true };
      },
    },
    ...options,
  });
  return { drover, file, started };
}

describe("drover workflow validate", () => {
  it("needs no server, says every fault of every file, and exits with 1", async () => {
    const { drover, file } = setup();
    const [right, wrong] = [file("good.yaml", good), file("bad.yaml", bad)];
    expect(await drover("workflow", "validate", right)).toEqual({
      code: 0,
      out: `${right}: valid, workflow hello, 1 step, format drover\n`,
      err: "",
    });
    const { code, out, err } = await drover("workflow", "validate", right, wrong);
    expect({ code, err }).toEqual({ code: 1, err: "" });
    expect(out).toContain(`${wrong}:4:10: `);
    expect(out).toContain("    4 |   say: { valeu: hi }\n      |          ^^^^^\n      Did you mean");
    expect(out).toMatch(new RegExp(`${wrong} has \\d+ faults\\.\n$`));
  });

  it("reads standard input, and writes one JSON document for programs", async () => {
    const { drover } = setup({ stdin: bad });
    const { code, out } = await drover("workflow", "validate", "-", "--json");
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject([
      {
        file: "standard input",
        valid: false,
        faults: expect.arrayContaining([
          {
            line: 4,
            column: 10,
            path: "steps.say.valeu",
            message: expect.any(String) as string,
            hint: 'Did you mean "value"?',
          },
        ]) as object[],
      },
    ]);
  });

  it("says so where there is no such file, and colours only for people", async () => {
    const { file } = setup();
    const { drover } = setup({ columns: 80 });
    expect(await drover("workflow", "validate", "nowhere.yaml")).toMatchObject({
      code: 2,
      err: expect.stringContaining("nowhere.yaml: there is none.") as string,
    });
    const path = file("bad.yaml", bad);
    expect((await drover("workflow", "validate", path)).out).toContain("\u001B[31m^^^^^\u001B[0m");
    expect((await drover("workflow", "validate", path, "--no-color")).out).not.toContain("\u001B");
  });
});

describe("drover workflow run", () => {
  it("hands over values as JSON where they are JSON, above those of a file", async () => {
    const { drover, file, started } = setup();
    const input = file("input.json", '{"a": 1, "b": {"c": 2}}');
    const values = ["-i", "a=2", "-i", "text=two words", "-i", 'list=["x"]', "-i", 'quoted="42"', "--set", "empty="];
    const { code, out, err } = await drover(
      "workflow",
      "run",
      "hello",
      "--input",
      input,
      ...values,
      "--key",
      "k",
      "-l",
      "team=ml",
    );
    expect({ code, out, err }).toEqual({ code: 0, out: "run-1\n", err: "Try: drover workflow watch run-1\n" });
    expect(started[0]).toMatchObject({
      workflow: "hello",
      version: 0,
      idempotencyKey: "k",
      labels: { team: "ml" },
      input: { a: 2, b: { c: 2 }, text: "two words", list: ["x"], quoted: "42", empty: "" },
    });
    await drover("workflow", "run", "hello", "--version", "2", "--input", '{"x": null}');
    expect(started[1]).toMatchObject({ version: 2, input: { x: null } });
  });

  it("saves a file first, and runs that version", async () => {
    const { drover, file, started } = setup();
    const { out, err } = await drover("workflow", "run", file("good.yaml", good));
    expect(out).toBe("run-1\n");
    expect(err).toContain("Saved hello version 3.\n");
    expect(started[0]).toMatchObject({ workflow: "hello", version: 3 });
  });

  it("starts nothing where the file has faults, and says them in both forms", async () => {
    const applyWorkflow = () => {
      throw new ConnectError("The workflow has faults.", Code.InvalidArgument);
    };
    const { drover, file, started } = setup({ workflows: { applyWorkflow } });
    const path = file("bad.yaml", bad);
    const told = await drover("workflow", "run", path);
    expect(told).toMatchObject({ code: 1, out: "", err: expect.stringContaining(`${path}:4:10: `) as string });
    const { code, err } = await drover("workflow", "run", path, "--json");
    expect(code).toBe(1);
    expect(JSON.parse(err)).toMatchObject({ error: { reason: "invalid", try: `drover workflow validate ${path}` } });
    expect(started).toEqual([]);
  });

  it.each([
    [["-i", "novalue"], "Expected KEY=VALUE for --set"],
    [["--input", "[1]"], "Expected a file that can be read at [1]"],
    [["--input", "{"], "Expected a JSON object from --input, got text that is none"],
    [["--input", "/nowhere.json"], "Expected a file that can be read at /nowhere.json"],
  ])("refuses %j before anything is started", async (wrong, message) => {
    const { drover, started } = setup();
    const { code, err } = await drover("workflow", "run", "hello", ...wrong);
    expect(code).toBe(2);
    expect(err).toContain(message);
    expect(started).toEqual([]);
  });
});

describe("drover run list", () => {
  it("asks for the filters and as many pages as it takes", async () => {
    const asked: object[] = [];
    const { drover } = setup({
      runs: {
        listRuns({ pageSize, pageToken, workflow, states }) {
          asked.push({ pageSize, pageToken, workflow, states });
          return { runs: [{ id: `run-${asked.length}`, state: 3 }], nextPageToken: asked.length < 2 ? "next" : "" };
        },
      },
    });
    const { out } = await drover(
      "run",
      "list",
      "--workflow",
      "w",
      "--state",
      "failed,partially_completed",
      "--limit",
      "9",
      "--json",
    );
    expect(JSON.parse(out)).toMatchObject([{ id: "run-1", state: "completed" }, { id: "run-2" }]);
    expect(asked).toEqual([
      { pageSize: 9, pageToken: "", workflow: "w", states: [5, 4] },
      { pageSize: 8, pageToken: "next", workflow: "w", states: [5, 4] },
    ]);
  });
});
