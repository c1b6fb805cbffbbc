import { existsSync } from "node:fs";
import { describe, expect, it, onTestFinished } from "vitest";
import { containerName, containerSpec } from "../docker/spec.ts";
import { findTestEngine, testImage } from "../docker/testing.ts";
import { createDockerExecutor } from "./docker.ts";
import type { RunRequest } from "./executor.ts";
import { prepareFolder } from "./folder.ts";
import { collectLogs, requestOf, temporaryFolder } from "./testing.ts";

const engine = await findTestEngine();
// Any device that containers do not have by themselves stands for a GPU's node.
const node = ["/dev/fuse", "/dev/kmsg"].find((path) => existsSync(path)) ?? "";
const gpu = { vendor: "amd" as const, uuid: "GPU-b24f6e1a52f31e0c", deviceNodes: [node], deviceGroups: [4711] };

function setup() {
  const taskBase = temporaryFolder();
  const holder = `test-${taskBase.slice(-6)}`;
  const executor = createDockerExecutor({
    holder,
    epoch: () => "2",
    taskBase,
    host: engine.host,
    hasGpus: () => true,
    stopGraceSeconds: 0,
  });
  const list = async () =>
    engine.missing === undefined
      ? engine.docker.listContainers({ all: true, filters: { label: [`drover.holder=${holder}`] } })
      : [];
  onTestFinished(async () => {
    if (engine.missing !== undefined) return;
    for (const { Id: id } of await list()) await engine.docker.getContainer(id).remove({ force: true });
  });
  /** What a former life of the agent left: the container of a request. */
  const leave = async (request: RunRequest) => {
    if (engine.missing !== undefined) throw new Error(engine.missing);
    const folder = await prepareFolder({ base: taskBase }, request);
    const facts = {
      image: testImage,
      owner: { holder },
      epoch: "1",
      startedAt: new Date(),
      folder,
      workDir: "/workspace",
    };
    const spec = containerSpec(request, { ...facts, mounts: [], defaultPids: 64 });
    const container = await engine.docker.createContainer({ ...spec, name: containerName(request) });
    await container.start();
  };
  return { executor, list, leave };
}

const script = (text: string) => ({ image: testImage, command: ["sh", "-c", text] });

describe.skipIf(engine.missing !== undefined || node === "")(`containers with GPUs ${engine.missing ?? ""}`, () => {
  it("get their nodes, variables and label, and tell what they see when asked", async () => {
    const { executor, list } = setup();
    const text = `ls ${node}; echo "$ROCR_VISIBLE_DEVICES"; until [ -e go ]; do sleep 0.05; done`;
    const run = executor.start(
      requestOf({ ...script(text), resources: { gpuCount: 1 } }, { gpus: [gpu] }),
      collectLogs(),
    );
    await expect.poll(list).toMatchObject([{ State: "running", Labels: { "drover.gpus": gpu.uuid } }]);
    expect(await run.ask?.(["sh", "-c", "echo one; echo two >&2; exit 3"])).toEqual({
      exitCode: 3,
      output: expect.stringMatching(/^(one\ntwo|two\none)\n$/),
    });
    expect(await run.ask?.(["nvidia-smi", "-L"])).toMatchObject({ exitCode: expect.toBeOneOf([126, 127]) });
    await run.ask?.(["touch", "/workspace/go"]);
    expect(await run.outcome).toMatchObject({ state: "completed", result: { stdoutTail: `${node}\n${gpu.uuid}\n` } });
    expect(await run.ask?.(["true"])).toBeUndefined();
  });

  it("are told to see none where they were given none", async () => {
    const { executor } = setup();
    const run = executor.start(requestOf(script('echo "[$NVIDIA_VISIBLE_DEVICES]"')), collectLogs());
    expect(await run.outcome).toMatchObject({ result: { stdoutTail: "[void]\n" } });
  });

  it("are taken up after a restart with the GPUs of their claim", async () => {
    const { executor, leave } = setup();
    const request = requestOf(script("echo well"), { gpus: [gpu] });
    await leave(request);
    const [run] = await executor.adopt([{ ...request, request }], collectLogs);
    expect(await run?.outcome).toMatchObject({ state: "completed", result: { stdoutTail: "well\n" } });
  });

  it("are removed after a restart where their claim has other GPUs", async () => {
    const { executor, leave, list } = setup();
    const request = requestOf(script("sleep 60"), { gpus: [gpu] });
    await leave(request);
    const other = { ...request, gpus: [{ ...gpu, uuid: "GPU-other" }] };
    const [run] = await executor.adopt([{ ...other, request: other }], collectLogs);
    expect(await run?.outcome).toMatchObject({
      errorClass: "agent_restarted",
      message: expect.stringContaining(`expected GPU-other, got ${gpu.uuid}`),
    });
    expect(await list()).toEqual([]);
  });

  it("are removed at once where nobody claims them any more, however young", async () => {
    const { executor, leave, list } = setup();
    await leave(requestOf(script("sleep 60"), { gpus: [gpu] }));
    const young = requestOf(script("sleep 60"));
    await leave(young);
    await executor.sweep(new Set());
    expect(await list()).toMatchObject([{ Names: [`/${containerName(young)}`] }]);
    await executor.sweep(new Set());
    const [run] = await executor.adopt([{ ...young, request: young }], collectLogs);
    await run?.stop("cancelled");
    await run?.outcome;
  });
});
