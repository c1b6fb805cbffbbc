import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism, hostname } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "./executor/testing.ts";
import { diskFacts, fingerprint } from "./fingerprint.ts";
import { findGpus } from "./gpu/inventory.ts";
import { fakeNvidiaSmi, fakeRocmSmi } from "./gpu/testing.ts";

const none = { nvidiaSmi: "/no/such/program", rocmSmi: "/no/such/program" };

describe("fingerprint", () => {
  it("names the host and what it has", async () => {
    const facts = await fingerprint(none);
    expect(facts).toMatchObject({ hostname: hostname(), cpu_cores: String(availableParallelism()), gpu_count: "0" });
    expect(Number(facts["memory_bytes"])).toBeGreaterThan(100_000_000);
    expect(facts["kernel"]).toMatch(/^Linux \d/);
    expect(facts).not.toHaveProperty("gpu_missing");
  });

  it("names the system by its own file, and does without it", async () => {
    const osRelease = join(temporaryFolder(), "os-release");
    writeFileSync(osRelease, 'NAME="Debian GNU/Linux"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n');
    expect(await fingerprint({ ...none, osRelease })).toMatchObject({ os: "Debian GNU/Linux 12 (bookworm)" });
    expect(await fingerprint({ ...none, osRelease: "/no/such/file" })).not.toHaveProperty("os");
  });

  it("tells the disk of the tasks' folder, before the folder exists as well", async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "there"));
    const there = await diskFacts(join(folder, "there"));
    expect(Number(there["disk_bytes"])).toBeGreaterThan(Number(there["disk_free_bytes"]));
    expect(Number(there["disk_free_bytes"])).toBeGreaterThan(0);
    expect(await fingerprint({ ...none, taskDir: join(folder, "yet", "to", "be", "made") })).toMatchObject({
      disk_bytes: there["disk_bytes"],
    });
  });

  it("tells its GPUs with their identity and memory", async () => {
    const { path } = fakeNvidiaSmi({ gpus: [{ uuid: "GPU-aa" }, { uuid: "GPU-bb" }] });
    const facts = {
      gpu_count: "2",
      gpu_names: "NVIDIA H100 80GB HBM3",
      gpu_memory_mib: "81559,81559",
      gpu_uuids: "GPU-aa,GPU-bb",
      gpu_driver: "550.54.15",
      gpu_slots: "2",
    };
    expect(await fingerprint({ ...none, nvidiaSmi: path })).toMatchObject(facts);
    const inventory = await findGpus({ ...none, nvidiaSmi: path });
    expect(await fingerprint({ ...none, inventory })).toMatchObject(facts);
  });

  it("counts only GPUs that can be used, and says what is wrong with the others", async () => {
    const { path } = fakeNvidiaSmi({ gpus: [{ uuid: "GPU-aa", trouble: "[GPU requires reset]" }, { uuid: "GPU-bb" }] });
    expect(await fingerprint({ ...none, nvidiaSmi: path })).toMatchObject({
      gpu_count: "1",
      gpu_uuids: "GPU-bb",
      gpu_faulty: expect.stringContaining("GPU-aa: nvidia-smi answers"),
    });
  });

  it("says why GPUs cannot be listed: a driver that fails, and one that hangs", async () => {
    const text = "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.";
    const nvidiaSmi = fakeNvidiaSmi({ failure: { text, exitCode: 9 } }).path;
    expect(await fingerprint({ ...none, nvidiaSmi })).toMatchObject({
      gpu_count: "0",
      gpu_missing: expect.stringContaining("NVIDIA driver"),
    });
    const rocmSmi = fakeRocmSmi({ isHanging: true }).path;
    expect(await fingerprint({ ...none, rocmSmi, timeoutMs: 100 })).toMatchObject({
      gpu_missing: expect.stringContaining("100 ms"),
    });
  });
});
