import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { run } from "./check-run.ts";

// A copy of the house's walls without its furniture, into which each test carries one forbidden import.
const root = join(import.meta.dirname, "..");
const copy = mkdtempSync(join(tmpdir(), "drover-layers-"));
const packages = ["proto", "db", ...["domain", "daemon", "worker"].map((name) => `packages/${name}`)];
packages.push(...["api", "agent", "cli"].map((name) => `apps/${name}`));

beforeAll(async () => {
  const files = ["package.json", "package-lock.json", "turbo.json", "tsconfig.json", "oxlint.config.ts"];
  files.push(...packages.flatMap((folder) => [`${folder}/package.json`, `${folder}/turbo.json`]));
  for (const file of files) cpSync(join(root, file), join(copy, file));
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  await promisify(execFile)("git", ["init", "--quiet"], { cwd: copy });
});

afterAll(() => rmSync(copy, { recursive: true }));

function write(file: string, text: string): void {
  mkdirSync(dirname(join(copy, file)), { recursive: true });
  writeFileSync(join(copy, file), text);
  onTestFinished(() => rmSync(join(copy, file)));
}

describe("the layers between packages", () => {
  const check = (): Promise<string> => run("turbo", ["boundaries"], "", copy);

  it("hold for the packages as they declare each other", async () => {
    expect(await check()).toContain("no issues found");
  });

  it.each([
    ["apps/cli/src/main.ts", "@drover/db/client"],
    ["packages/domain/src/task.ts", "@drover/db/client"],
    ["proto/gen/task.ts", "@drover/domain/error"],
    ["db/client.ts", "@drover/daemon/log"],
  ])("forbid that %s imports %s", async (file, forbidden) => {
    write(file, `import * as it from "${forbidden}";\nexport const used = it;\n`);
    await expect(check()).rejects.toThrow(`cannot import package \`${forbidden.split("/").slice(0, 2).join("/")}\``);
  });

  it("forbid to declare a package of a higher layer", async () => {
    const text = JSON.stringify({ name: "@drover/domain", dependencies: { "@drover/db": "0.1.0" } });
    write("packages/domain/package.json", text);
    onTestFinished(() =>
      cpSync(join(root, "packages/domain/package.json"), join(copy, "packages/domain/package.json")),
    );
    await expect(check()).rejects.toThrow("Package `@drover/db` found without any tag listed in allowlist");
  });
});

describe("the layers inside apps", () => {
  it.each([
    [
      "apps/agent/src/executor/docker.ts",
      "Only apps/agent/src/docker",
      "import Docker from 'dockerode'; export const docker = new Docker();",
    ],
    ["apps/api/src/operation/submit-task.ts", "know no protobuf", "export { x } from '@drover/proto/drover/task';"],
    ["apps/api/src/operation/submit-task.ts", "do not know who calls", "export { x } from '../rpc/task.ts';"],
    ["apps/api/src/rpc/task.ts", "All SQL lives in db/", "export { sql } from 'drizzle-orm';"],
    ["apps/api/src/app.ts", "Only the API's tests", "export { x } from '@drover/worker/loop';"],
    ["apps/cli/src/client.ts", "never the database", "export { x } from '@drover/db/query/task';"],
    ["apps/agent/src/reconciler.ts", "the node protocol", "export { x } from '@drover/db/query/task';"],
    ["apps/api/src/app.ts", "Only main.ts", "export const home = process.env;"],
    ["packages/domain/src/retry.ts", "Decisions are pure", "export { readFileSync } from 'node:fs';"],
    ["packages/daemon/src/log.ts", "no-explicit-any", "export const x = (value: any): unknown => value;"],
    ["packages/daemon/src/log.ts", "no-non-null-assertion", "export const x = (value?: string): string => value!;"],
    ["packages/daemon/src/log.ts", "max-lines", `export const x = [\n${"0,\n".repeat(400)}];\n`],
  ])("are guarded in %s by %s", async (file, complaint, text) => {
    write(file, text);
    await expect(run("oxlint", [file], "", copy)).rejects.toThrow(complaint);
  });

  it("let main.ts read the process and docker/ use dockerode", async () => {
    write("apps/agent/src/main.ts", "export const home = process.env;\n");
    write("apps/agent/src/docker/connect.ts", "import Docker from 'dockerode';\nexport const docker = new Docker();\n");
    expect(await run("oxlint", ["apps/agent/src"], "", copy)).toContain("0 errors");
  });
});
