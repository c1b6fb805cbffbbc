import { describe, expect, it } from "vitest";
import { dspyAgentDefaults, readDspyAgentConfig, writeDspyAgentConfig } from "./dspy-agent-config.ts";

describe("the dspy-agent's file", () => {
  it("may say everything or nothing, and more than anybody knows", () => {
    expect(readDspyAgentConfig("", "c.toml")).toEqual(dspyAgentDefaults);
    const text = `
      workspace = "/srv/work"
      orchestrator_addr = "localhost:9098"
      env_manager_addr = ":50100"
      gpu = true
      theme = "dark"
      [services]
      redis = true
      kafka = false
      [ports]
      redis = 6380`;
    expect(readDspyAgentConfig(text, "c.toml")).toEqual({
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
    expect(readDspyAgentConfig(writeDspyAgentConfig(config), "c.toml")).toEqual(config);
  });

  it("tells all that is wrong with it at once", () => {
    expect(() => readDspyAgentConfig('gpu = 1\nports = {redis = "x"}', "c.toml")).toThrow(
      "c.toml has faults: gpu: expected true or false, got 1; ports: expected a port for each service",
    );
    expect(() => readDspyAgentConfig("gpu = ", "c.toml")).toThrow(/^c\.toml:1:\d+ Expected TOML/);
  });
});
