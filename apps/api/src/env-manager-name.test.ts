import { defineConfig } from "@drover/daemon/config";
import { formatAddress } from "@drover/daemon/address";
import type { EnvManagerSettings } from "@drover/environment/env-manager-config";
import { describe, expect, it } from "vitest";
import { withEnvManagerFile, withEnvManagerNames } from "./env-manager-name.ts";
import { settings } from "./setting.ts";

const config = defineConfig({ settings, otherNames: [] });

function read(env: Record<string, string>, file: EnvManagerSettings = {}) {
  const found = withEnvManagerFile(env);
  const known = withEnvManagerNames(found, config.read({ env: found }).given, file);
  const { values } = config.read({ env: known.env });
  return { ...values, addresses: values.listen.map(formatAddress), warnings: known.warnings };
}

describe("the names that users of the env-manager know", () => {
  it("serve its port beside the others where nobody says anything", () => {
    expect(read({}).addresses).toEqual(["127.0.0.1:9097", "127.0.0.1:50052", "127.0.0.1:50100"]);
  });

  it("stand for our settings", () => {
    const values = read({
      ENV_MANAGER_CONFIG: "/opt/dspy-agent/config/env-manager.toml",
      ENV_MANAGER_HEALTH_TIMEOUT: "90",
      ENV_MANAGER_VERBOSE: "true",
      ENV_MANAGER_GRPC_ADDR: "127.0.0.1:6000",
    });
    expect(values).toMatchObject({
      envManagerConfig: "/opt/dspy-agent/config/env-manager.toml",
      envManagerStartSeconds: 90,
      logLevel: "debug",
      addresses: ["127.0.0.1:9097", "127.0.0.1:50052", "127.0.0.1:6000"],
      warnings: [],
    });
  });

  it("give way to ours, and the file to the environment", () => {
    const file = { grpcAddress: "127.0.0.1:6001", isVerbose: true };
    const own = { DROVER_LISTEN: "127.0.0.1:1", DROVER_LOG_LEVEL: "warn" };
    expect(read({ ...own, ENV_MANAGER_GRPC_ADDR: "127.0.0.1:2" }, file)).toMatchObject({
      addresses: ["127.0.0.1:1"],
      logLevel: "warn",
    });
    expect(read({ ENV_MANAGER_GRPC_ADDR: "127.0.0.1:6000" }, file).addresses).toContain("127.0.0.1:6000");
    expect(read({}, file)).toMatchObject({ logLevel: "debug" });
  });

  it("keep what the guides print on this machine, and say so, unless the operator wants it otherwise", () => {
    const kept = read({}, { grpcAddress: "0.0.0.0:50100" });
    expect(kept.addresses.at(-1)).toBe("127.0.0.1:50100");
    expect(kept.warnings.join()).toContain("127.0.0.1:50100 is served instead");
    const open = read({ ENV_MANAGER_GRPC_ADDR: ":50100", DROVER_INSECURE: "true" });
    expect(open).toMatchObject({ warnings: [] });
    expect(open.addresses.at(-1)).toBe("0.0.0.0:50100");
    expect(read({ ENV_MANAGER_GRPC_ADDR: "nonsense" }).warnings.join()).toContain('got "nonsense"');
  });
});
