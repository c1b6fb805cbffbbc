import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createConnectTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runDrover } from "../run.ts";
import { startUp } from "../testing-up.ts";

// The program in this process, against a database, an API and an agent of its own.
let dataDir = "";
let up: Awaited<ReturnType<typeof startUp>>;

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "drover-flow-"));
  up = await startUp(dataDir, "--echo");
}, 60_000);

afterAll(async () => {
  up.child.kill("SIGTERM");
  await up.ended;
  rmSync(dataDir, { recursive: true, force: true });
}, 60_000);

async function drover(...args: string[]) {
  const said = { out: "", err: "" };
  const code = await runDrover({
    args: [...args, "--address", up.address],
    env: {},
    stdin: emptyInput(),
    stdout: { write: (text) => (said.out += text) },
    stderr: { write: (text) => (said.err += text) },
    stop: new AbortController().signal,
    connect: ({ address, interceptors, timeoutMs }) =>
      createConnectTransport({ baseUrl: address, httpVersion: "1.1", interceptors, defaultTimeoutMs: timeoutMs }),
    programs: { node: process.execPath, api: "", agent: "" },
    nodeVersion: "v24.0.0",
  });
  return { code, ...said };
}

async function* emptyInput(): AsyncGenerator<Uint8Array> {}

function file(name: string, text: string): string {
  const path = join(dataDir, name);
  writeFileSync(path, text);
  return path;
}

const digest = `
drover: workflow/v1
name: digest
description: Counts and sums up.
input: { words: "list[text]" }
budget: $1
steps:
  count:
    each: { items: "\${input.words}", as: word }
    env: { WORD: "\${word}" }
    run: printf '__DSPY_RESULT__:%s\\n' "\${#WORD}"
  sum-up:
    llm: { model: echo/echo-priced, prompt: "Sum up: \${input.words}", maxOutputTokens: 20 }
  end:
    value: { counts: "\${steps.count.output}", said: "\${steps.sum-up.output}" }
output: "\${steps.end.output}"
`;

const gate = `
drover: workflow/v1
name: gate
steps:
  ask: { approval: { approvers: [ann] } }
  paid: { event: paid, needs: [ask] }
  fails: { run: "exit 3", needs: [paid], retry: 1 }
`;

describe("a workflow, from its file to its cost", { timeout: 60_000 }, () => {
  it("is saved and run, watched to its end, shown, and paid for", async () => {
    const path = file("digest.yaml", digest);
    const ran = await drover("workflow", "run", path, "-i", 'words=["a","bcd"]', "--watch");
    expect(ran.code).toBe(0);
    const [id = "", ...lines] = ran.out.split("\n");
    expect(id).toMatch(/^run-[0-9a-f]{16}$/);
    expect(lines.join("\n")).toMatch(/ {2}count {2}completed {2}2 of 2 items\n/);
    expect(lines.join("\n")).toMatch(/ {2}run-[0-9a-f]{16} {2}completed\n\nOutput\n/);
    expect(ran.err).toContain("Saved digest version 1.\n");
    expect(ran.err).toMatch(/completed after .+, 0\.\d+ USD, \d+ tokens in 1 call\n/);

    const shown = JSON.parse((await drover("run", "get", id, "--json")).out) as { state: string; output: unknown };
    expect(shown).toMatchObject({ state: "completed", output: { counts: [1, 3], said: 'Sum up: ["a","bcd"]' } });
    const items = JSON.parse((await drover("run", "steps", id, "--step", "count", "--json")).out) as object[];
    expect(items).toMatchObject([{ item: -1, itemsEnded: 2 }, { item: 0 }, { item: 1 }]);

    const cost = JSON.parse((await drover("run", "cost", id, "--json")).out) as Record<string, unknown>;
    expect(cost).toMatchObject({ run: id, calls: 1, heldUsd: "0", budgets: [{ scope: "run", limitUsd: "1" }] });
    expect(Number(cost["costUsd"])).toBeGreaterThan(0);
    expect((await drover("run", "cost", id)).out).toMatch(/STEP +CALLS[^]+sum-up +1 [^]+total +1 [^]+ of 1 USD\.\n$/);
    expect(await drover("run", "cost", "run-0000000000000001")).toMatchObject({ code: 3 });

    const again = await drover("workflow", "run", "digest", "-i", "words=[]", "--key", "once", "--json");
    const repeated = await drover("workflow", "run", "digest", "-i", "words=[]", "--key", "once", "--wait");
    expect(repeated.out.split("\n")[0]).toBe((JSON.parse(again.out) as { id: string }).id);
    expect(repeated).toMatchObject({ code: 0, err: expect.stringContaining("It had been started before.\n") });
    expect((await drover("run", "list", "--workflow", "digest")).out).toMatch(/^RUN +WORKFLOW[^]+digest 1 +completed/);
  });

  it("is saved once, listed, read back as it was, and drawn", async () => {
    const path = file("digest.yaml", digest);
    expect((await drover("workflow", "apply", path)).out).toMatch(/^digest version 1 {2}/);
    expect((await drover("workflow", "apply", path)).out).toBe("digest version 1  was there already\n");
    expect((await drover("workflow", "list")).out).toMatch(/digest +1 +3 +drover .* ago +\S+ +Counts and sums up\.\n/);
    expect((await drover("workflow", "get", "digest", "--source")).out).toBe(digest);
    expect((await drover("workflow", "get", "digest")).out).toContain("Input     words: array\n");
    expect((await drover("workflow", "get", "digest", "--versions")).out).toMatch(/^VERSION.*\n +1 +3 /);
    expect((await drover("workflow", "graph", "digest")).out).toContain("├─ count   process");
    expect((await drover("workflow", "graph", "digest", "--format", "mermaid")).out).toMatch(/^flowchart TD\n/);
    expect(await drover("workflow", "get", "digset")).toMatchObject({ code: 3 });
  });

  it("is refused with every fault at its place, and what was right is saved", async () => {
    const bad = file("bad.yaml", digest.replace("steps.count.output", "steps.cuont.output").replace("each:", "eech:"));
    const { code, out, err } = await drover("workflow", "apply", bad, file("gate.yaml", gate));
    expect(code).toBe(1);
    expect(out).toMatch(/^gate version 1 {2}/);
    expect(err).toContain(`${bad}:9:5: `);
    expect(err).toMatch(/\^+\n +Did you mean "count"\?\n/);
    expect((await drover("workflow", "run", bad)).code).toBe(1);
  });

  it("waits for people and events, fails, is taken up again, and is cancelled", async () => {
    const started = await drover("workflow", "run", file("gate.yaml", gate), "--json");
    const { id } = JSON.parse(started.out) as { id: string };
    const isWaiting = async (step: string) => {
      const { steps } = JSON.parse((await drover("run", "get", id, "--json")).out) as {
        steps: { id: string; state: string }[];
      };
      return steps.find((each) => each.id === step)?.state;
    };
    await expect.poll(() => isWaiting("ask")).toBe("waiting");
    expect((await drover("run", "get", id)).out).toMatch(/ask +waiting +.* for approval by ann\n/);
    expect((await drover("run", "approve", id, "ask")).err).toContain("is decided by ann");
    expect((await drover("run", "approve", id, "ask", "--as", "ann")).out).toBe(`${id}  step ask is approved\n`);
    await drover("run", "event", id, "paid", "--data", '{"amount": 5}');
    const failed = await drover("run", "watch", id);
    expect(failed.code).toBe(1);
    expect(failed.out).toMatch(/ {2}fails {2}failed {2}exit_nonzero: /);
    expect(failed.err).toContain(`Try: drover run get ${id}, or drover workflow resume ${id}\n`);

    expect((await drover("run", "resume", id, "--from", "ask")).out).toMatch(/goes on: 3 steps at most will run again/);
    expect((await drover("workflow", "cancel", id, "--reason", "enough")).out).toMatch(/ {2}cancell/);
    expect((await drover("workflow", "watch", id, "--json")).code).toBe(1);
    expect(JSON.parse((await drover("run", "get", id, "--json")).out)).toMatchObject({
      state: "cancelled",
      error: { message: "enough" },
    });
  });
});
