import { describe, expect, it } from "vitest";

import { DroverError } from "@drover/domain/error";

import { createLog, type LogOptions } from "./log.ts";

function setup(options: Partial<LogOptions> = {}) {
  const lines: string[] = [];
  const log = createLog({ app: "api", to: { write: (line) => void lines.push(line) }, ...options });
  return { log, lines, last: () => JSON.parse(lines.at(-1) ?? "{}") as Record<string, unknown> };
}

describe("createLog", () => {
  it("writes one JSON object a line with the level as a word and the time as ISO 8601", () => {
    const { log, lines, last } = setup();
    log.info({ task: "42" }, "task claimed");
    expect(lines[0]?.endsWith("}\n")).toBe(true);
    expect(last()).toEqual({
      level: "info",
      time: expect.stringMatching(/^\d{4}-.*Z$/),
      app: "api",
      task: "42",
      message: "task claimed",
    });
  });

  it("says nothing below its level", () => {
    const { log, lines } = setup({ level: "warn" });
    log.info("quiet");
    log.warn("loud");
    expect(lines).toHaveLength(1);
  });

  it("hides secrets in children, messages, errors and their causes", () => {
    const { log, lines } = setup({ secrets: ["hunter2hunter2"] });
    const cause = new Error("connect postgres://drover:s3cret@db/drover failed");
    const child = log.child({ url: "postgres://drover:s3cret@db/drover", token: "s3cret" });
    child.error({ error: new DroverError("unavailable", "no database", { cause }) }, "hunter2hunter2");
    expect(lines.join("")).not.toMatch(/s3cret|hunter2/);
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({ error: { reason: "unavailable", cause: { type: "Error" } } });
  });

  it("logs an error given alone under the key error", () => {
    const { log, last } = setup();
    log.error(new Error("boom"));
    expect(last()).toMatchObject({
      error: { message: "boom", stack: expect.stringContaining("log.test.ts") },
      message: "boom",
    });
  });
});
