import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { envManagerHost } from "./env-manager-host.ts";

function fileOf(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), "drover-env-manager-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "env-manager.toml"), text);
  return join(folder, "env-manager.toml");
}

describe("what users of the env-manager say of its host", () => {
  it("is handed to the agent: from the file, by our name of it or theirs", () => {
    const file = fileOf(
      'max_concurrent_starts = 3\nmetrics_http_addr = "0.0.0.0:9100"\ndocker_host = "unix:///d.sock"\n',
    );
    const settings = {
      DROVER_AGENT_LISTEN: "127.0.0.1:9100",
      DROVER_AGENT_MAX_CONCURRENT_STARTS: "3",
      DROVER_AGENT_DOCKER_HOST: "unix:///d.sock",
    };
    expect(envManagerHost({ ENV_MANAGER_CONFIG: file })).toEqual(settings);
    expect(envManagerHost({ DROVER_API_ENV_MANAGER_CONFIG: file })).toEqual(settings);
  });

  it("is what a variable says before the file, and what the agent was told itself before both", () => {
    const env = { ENV_MANAGER_CONFIG: fileOf("max_concurrent_starts = 3\n"), ENV_MANAGER_MAX_CONCURRENT: "4" };
    expect(envManagerHost(env)).toEqual({ DROVER_AGENT_MAX_CONCURRENT_STARTS: "4" });
    expect(envManagerHost({ ...env, DROVER_AGENT_MAX_CONCURRENT_STARTS: "9" })).toEqual({});
  });

  it("is nothing where the file is not there, or has faults, which the API tells", () => {
    expect(envManagerHost({ ENV_MANAGER_CONFIG: "/nowhere.toml" })).toEqual({});
    expect(envManagerHost({ ENV_MANAGER_CONFIG: fileOf("max_concurrent_starts = 0\n") })).toEqual({});
  });
});
