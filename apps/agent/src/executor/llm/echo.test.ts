import { afterEach, describe, expect, it } from "vitest";
import { startTestExecutor } from "./testing-executor.ts";
import type { TestProvider } from "./testing-provider.ts";

const servers: TestProvider[] = [];

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

async function setup() {
  const started = await startTestExecutor();
  servers.push(started.server);
  return started;
}

describe("echo", () => {
  it("answers with the last message of the user, four characters a token", async () => {
    const { start } = await setup();
    const call = { provider: "echo", model: "echo", messages: [{ role: "user" as const, text: "x".repeat(10) }] };
    const usage = { inputTokens: 3, outputTokens: 3 };
    expect(await start(call).outcome).toEqual({
      state: "completed",
      result: { text: "xxxxxxxxxx", finishReason: "stop", usage, model: "echo" },
    });
    expect(await start({ ...call, maxOutputTokens: 2 }).outcome).toMatchObject({
      result: { text: "xxxxxxxx", finishReason: "length", usage: { outputTokens: 2 } },
    });
  });

  it("answers with the least JSON of the form that is asked for", async () => {
    const { start } = await setup();
    const outputSchema = {
      type: "object",
      required: ["title", "rank", "tags", "kind"],
      properties: {
        title: { type: "string", maxLength: 8 },
        rank: { type: "integer", minimum: 3 },
        tags: { type: "array", items: { $ref: "#/$defs/tag" }, minItems: 2 },
        kind: { enum: ["a", "b"] },
        other: { type: "string" },
      },
      $defs: { tag: { type: "string", minLength: 2 } },
    };
    const messages = [{ role: "user" as const, text: "A report on clouds" }];
    const end = await start({ provider: "echo", model: "echo", messages, outputSchema }).outcome;
    expect(end.state === "completed" && JSON.parse(end.result.text)).toEqual({
      title: "A report",
      rank: 3,
      tags: ["A report on clouds", "A report on clouds"],
      kind: "a",
    });
  });

  it("stops in its midst when it is slow", async () => {
    const { start, log } = await setup();
    const run = start({ provider: "echo", model: "echo-slow", messages: [{ role: "user", text: "a ".repeat(1000) }] });
    await expect.poll(() => log.length).toBeGreaterThan(2);
    await run.stop("drained");
    expect(await run.outcome).toMatchObject({ errorClass: "drained", details: { usage: { isEstimated: true } } });
  });
});
