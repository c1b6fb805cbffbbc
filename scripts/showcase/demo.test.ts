import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, type TestContext } from "vitest";
import { findStarted } from "./leftover.ts";
import { processesOf, type Script, startScript } from "./testing.ts";
import { findEngine } from "./way.ts";

const nowhere = "unix:///nowhere/docker.sock";
/** Nobody's key is used up by a test. */
const noKeys = { OPENAI_API_KEY: "", ANTHROPIC_API_KEY: "", GOOGLE_API_KEY: "", GEMINI_API_KEY: "" };
const reportFile = join(import.meta.dirname, "../../.drover/report.md");
const host = process.env["DOCKER_HOST"] ?? "unix:///var/run/docker.sock";

/** The engine, without which a test is skipped; in CI it must be there. */
async function requireEngine(context: TestContext) {
  const found = await findEngine(host);
  if ("engine" in found) return found;
  if (process.env["CI"] === "true") throw new Error(found.missing);
  return context.skip(found.missing);
}

async function nodeOf(demo: Script): Promise<string> {
  const [, node = ""] = await demo.untilSaid(/Agent +(demo-[0-9a-f]{6}),/);
  return node;
}

function expectNothingLeft(node: string): void {
  const folder = join(import.meta.dirname, "../../.drover", node);
  expect(processesOf(folder)).toEqual([]);
  expect(findStarted(folder)).toEqual([]);
  expect(existsSync(folder)).toBe(false);
}

describe("scripts/demo", { timeout: 60_000 }, () => {
  it("clears what a killed demo left, runs as processes where no engine answers, verifies the result and leaves nothing", async () => {
    const killed = startScript("demo", [], { DOCKER_HOST: nowhere });
    const killedNode = await nodeOf(killed);
    const folder = join(import.meta.dirname, "../../.drover", killedNode);
    for (const { pid } of findStarted(folder)) process.kill(pid, "SIGKILL");
    killed.child.kill("SIGKILL");
    expect(await killed.ended).toBe("SIGKILL");
    expect(processesOf(folder).join()).toContain("postgres");

    // A setting of the person who calls must not reach it.
    const demo = startScript("demo", [], {
      ...noKeys,
      DOCKER_HOST: nowhere,
      DROVER_DATABASE_URL: "postgres://nobody@127.0.0.1:1/none",
    });
    const node = await nodeOf(demo);
    expect(await demo.ended).toBe(0);
    expect(demo.said()).toMatch(/Cleared +what a killed demo left, .*PostgreSQL \d+/);
    expect(demo.said()).toContain(`as processes, since no Docker Engine answers at ${nowhere}`);
    expect(demo.said()).toContain("40 done in");
    expect(demo.said()).toMatch(/Verified: all 40 results and the totals are what .+ say\./);
    expect(demo.said()).toContain("no provider key found (OPENAI_API_KEY, ANTHROPIC_API_KEY, GOOGLE_API_KEY)");
    expect(demo.said()).toMatch(/report {2}completed\n.* {2}run-\w+ {2}completed\n/);
    const [, cost = ""] = /\ntotal .* (0\.\d+) +0\n/.exec(demo.said()) ?? [];
    expect(demo.said()).toContain(`The run's budget: ${cost} USD of 0.25 USD.`);
    expect(demo.said()).toContain("Every counter is what the ledger says.");
    const [, pages = ""] = /Report +\.drover\/report\.md, on (\d+) documents/.exec(demo.said()) ?? [];
    const report = readFileSync(reportFile, "utf8");
    expect(report).toContain(`# Report on ${pages} documents\n`);
    expect(report).toContain(`${cost} USD`);
    expect(report.match(/^## /gm)).toHaveLength(Number(pages));
    expect(demo.said()).not.toContain("Forced");
    expectNothingLeft(killedNode);
    expectNothingLeft(node);
  });

  it("runs in containers where an engine answers, and leaves neither container nor image", async (context) => {
    const { engine, docker } = await requireEngine(context);
    const demo = startScript("demo", ["--tasks", "12"], { ...noKeys, DOCKER_HOST: host });
    const node = await nodeOf(demo);
    expect(await demo.ended).toBe(0);
    expect(demo.said()).toMatch(/Tasks run +in containers of Docker \d/);
    expect(demo.said()).toContain(`12 done in`);
    expect(demo.said()).toMatch(/Verified: all 12 results and the totals are what .+ say\./);
    expectNothingLeft(node);
    expect(await engine.list([`drover.holder=${node}`])).toEqual({ ok: true, value: [] });
    const images = await docker.listImages({ filters: { reference: [`drover-demo:${node.replace("demo-", "")}`] } });
    expect(images).toEqual([]);
  });

  it("stops and removes everything when it is interrupted in the middle of the work", async () => {
    const demo = startScript("demo", ["--tasks", "100"], { DOCKER_HOST: nowhere });
    const node = await nodeOf(demo);
    await demo.untilSaid(/\d+ running/);
    demo.child.kill("SIGINT");
    expect(await demo.ended).toBe(130);
    expect(demo.said()).not.toContain("Verified");
    expectNothingLeft(node);
  });

  it("says what is wrong with its arguments", async () => {
    const demo = startScript("demo", ["--tasks", "many"], {});
    expect(await demo.ended).toBe(1);
    expect(demo.said()).toContain("--tasks: expected a whole number from 1 to 100, got many.");
  });
});
