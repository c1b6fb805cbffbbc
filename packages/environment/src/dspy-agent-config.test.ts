import { describe, expect, it } from "vitest";
import { dspyAgentDefaults, readDspyAgentConfig, writeDspyAgentConfig } from "./dspy-agent-config.ts";

describe("the dspy-agent's file", () => {
  it("may say everything or nothing, and is told of keys that nobody knows", () => {
    expect(readDspyAgentConfig("", "c.toml")).toEqual({ config: dspyAgentDefaults, warnings: [] });
    const text = `
      workspace = "/srv/work"
      orchestrator_addr = "localhost:9098"
      env_manager_addr = ":50100"
      gpu = true
      theme = "dark"
      workspce = "/srv"
      [services]
      redis = true
      kafka = false
      [ports]
      redis = 6380`;
    const { config, warnings } = readDspyAgentConfig(text, "c.toml");
    expect(warnings).toEqual([
      expect.stringMatching(/^c\.toml: "theme" is no key of dspy-agent and does nothing\. Known: workspace, /),
      'c.toml: "workspce" is no key of dspy-agent and does nothing. Did you mean "workspace"?',
    ]);
    expect(config).toEqual({
      workspace: "/srv/work",
      orchestratorAddress: "localhost:9098",
      envManagerAddress: ":50100",
      gpu: true,
      services: { redis: true, kafka: false },
      ports: { redis: 6380 },
    });
  });

  it("reads as what was written", () => {
    const config = { ...dspyAgentDefaults, gpu: true, services: { redis: true }, ports: { redis: 1 } };
    expect(readDspyAgentConfig(writeDspyAgentConfig(config), "c.toml")).toEqual({ config, warnings: [] });
  });

  it("tells all that is wrong with it at once", () => {
    expect(() => readDspyAgentConfig('gpu = 1\nports = {redis = "x"}', "c.toml")).toThrow(
      "c.toml has faults: gpu: expected true or false, got 1; ports: expected a port for each service",
    );
    expect(() => readDspyAgentConfig("gpu = ", "c.toml")).toThrow(/^c\.toml:1:\d+ Expected TOML: .+, in "gpu ="\.$/);
  });
});
