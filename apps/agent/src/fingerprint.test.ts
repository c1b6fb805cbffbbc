import { chmodSync, writeFileSync } from "node:fs";
import { availableParallelism, hostname } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "./executor/testing.ts";
import { findGpus, fingerprint } from "./fingerprint.ts";

/** A program that answers like nvidia-smi: the seam at which a host with GPUs is faked. */
function programOf(script: string): string {
  const path = join(temporaryFolder(), "nvidia-smi");
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

describe("fingerprint", () => {
  it("names the host and what it has", async () => {
    const facts = await fingerprint({ nvidiaSmi: "/no/such/program" });
    expect(facts).toMatchObject({ hostname: hostname(), cpu_cores: String(availableParallelism()), gpu_count: "0" });
    expect(Number(facts["memory_bytes"])).toBeGreaterThan(100_000_000);
    expect(facts).not.toHaveProperty("gpu_missing");
  });

  it("lists GPUs with their identity and memory", async () => {
    const nvidiaSmi = programOf(
      'case "$*" in *noheader,nounits*) echo "0, GPU-aa, NVIDIA H100 80GB HBM3, 81559, 550.54.15"; echo "1, GPU-bb, NVIDIA H100 80GB HBM3, 81559, 550.54.15";; esac',
    );
    expect(await fingerprint({ nvidiaSmi })).toMatchObject({
      gpu_count: "2",
      gpu_names: "NVIDIA H100 80GB HBM3",
      gpu_memory_mib: "81559,81559",
      gpu_uuids: "GPU-aa,GPU-bb",
      gpu_driver: "550.54.15",
    });
  });

  it("says why GPUs cannot be listed: a driver that fails, and one that hangs", async () => {
    const failing = programOf(
      'echo "NVIDIA-SMI has failed because it could not communicate with the NVIDIA driver."; exit 9',
    );
    expect(await fingerprint({ nvidiaSmi: failing })).toMatchObject({
      gpu_count: "0",
      gpu_missing: expect.stringContaining("NVIDIA driver"),
    });
    const hanging = programOf("exec sleep 30");
    expect(await findGpus({ nvidiaSmi: hanging, timeoutMs: 100 })).toMatchObject({
      problem: expect.stringContaining("100 ms"),
    });
  });
});
