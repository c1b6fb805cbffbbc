import { chmodSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { temporaryFolder } from "../executor/testing.ts";
import { type FakeNvidiaSmi, nvidiaScript } from "./testing-nvidia.ts";
import { print, quote } from "./testing-shell.ts";

export interface FakeProgram {
  path: string;
  /** File with the arguments of each start, a line each. */
  calls: string;
}

/** A program that answers as nvidia-smi does: the seam at which a host with GPUs is faked. Outside of a test, name a folder. */
export function fakeNvidiaSmi(fake: FakeNvidiaSmi, folder?: string): FakeProgram & { set(next: FakeNvidiaSmi): void } {
  const program = writeProgram("nvidia-smi", nvidiaScript(fake), folder);
  return { ...program, set: (next) => replaceScript(program, nvidiaScript(next)) };
}

export interface FakeRocmSmi {
  /** By card: `{ card0: { "Card series": "…" }, system: { "Driver version": "…" } }`. */
  cards?: Record<string, Record<string, string>>;
  /** Before the JSON, on stdout. */
  warning?: string;
  failure?: { text: string; exitCode: number };
  isHanging?: boolean;
}

/** A program that answers as `rocm-smi --json` does. */
export function fakeRocmSmi(fake: FakeRocmSmi, folder?: string): FakeProgram & { set(next: FakeRocmSmi): void } {
  const program = writeProgram("rocm-smi", rocmScript(fake), folder);
  return { ...program, set: (next) => replaceScript(program, rocmScript(next)) };
}

/** A program that prints a kernel log, as dmesg does. */
export function fakeKernelLog(log: string): FakeProgram {
  return writeProgram("dmesg", print(log));
}

/** A folder that stands for `/`: paths and what lies there. */
export function fakeRoot(files: Record<string, string>): string {
  const root = temporaryFolder();
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

/** What the kernel's driver tells of a GPU, in the file of fakeRoot where it stands. */
export function driverFiles(gpu: {
  busId: string;
  minor: number;
  uuid: string;
  model?: string;
}): Record<string, string> {
  const { busId, minor, uuid, model = "NVIDIA A100-SXM4-40GB" } = gpu;
  return {
    [`proc/driver/nvidia/gpus/${busId}/information`]: `Model: \t\t ${model}
IRQ:   \t\t 213
GPU UUID: \t ${uuid}
Video BIOS: \t 92.00.19.00.13
Bus Type: \t PCIe
DMA Size: \t 47 bits
DMA Mask: \t 0x7fffffffffff
Bus Location: \t ${busId}
Device Minor: \t ${minor}
GPU Excluded:\t No
`,
    [`dev/nvidia${minor}`]: "",
    "dev/nvidiactl": "",
    "dev/nvidia-uvm": "",
  };
}

function rocmScript(fake: FakeRocmSmi): string {
  if (fake.isHanging) return "exec sleep 60";
  if (fake.failure) return `${print(fake.failure.text)} >&2\nexit ${fake.failure.exitCode}`;
  const warning = fake.warning === undefined ? "" : print(fake.warning);
  if (fake.cards === undefined) return `${warning}\necho "WARNING: No JSON data to report" >&2`;
  return `${warning}\n${print(JSON.stringify(fake.cards))}`;
}

function writeProgram(name: string, script: string, folder = temporaryFolder()): FakeProgram {
  const program = { path: join(folder, name), calls: join(folder, "calls") };
  replaceScript(program, script);
  return program;
}

// By a new file: one that is being written cannot be started.
function replaceScript({ path, calls }: FakeProgram, script: string): void {
  writeFileSync(`${path}.new`, `#!/bin/sh\necho "$*" >> ${quote(calls)}\n${script}\n`);
  chmodSync(`${path}.new`, 0o755);
  renameSync(`${path}.new`, path);
}
