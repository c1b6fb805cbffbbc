import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { GpuState, NodeSchema, NodeState } from "@drover/proto/drover/node";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createTestDrover } from "../testing.ts";

const soon = () => timestampFromMs(Date.now() + 300_000);
const gpu = {
  node: "gpu-01",
  uuid: "GPU-1",
  kind: "whole",
  vendor: "nvidia",
  model: "NVIDIA H100",
  memoryMib: 81_920,
  slots: 1,
  holders: [{ slot: 0, taskId: "train-7" }],
  state: GpuState.READY,
  utilizationPercent: 97,
};
const nodeOf = (changes: MessageInitShape<typeof NodeSchema> = {}) =>
  create(NodeSchema, {
    name: "gpu-01",
    state: NodeState.READY,
    executors: ["docker"],
    slots: { gpu: 2 },
    labels: { zone: "a" },
    taints: ["spot"],
    gpus: [gpu],
    facts: { kernel: "6.1" },
    ...changes,
  });

describe("drover node list and get", () => {
  it("show GPUs, labels and taints, and who holds what", async () => {
    const node = nodeOf();
    const drover = createTestDrover({ nodes: { listNodes: () => ({ nodes: [node] }), getNode: () => ({ node }) } });
    expect((await drover("node", "list")).out).toMatch(/^gpu-01 +ready +0 +0 +1 +gpu=2 +docker +zone=a/m);
    const { out } = await drover("node", "get", "gpu-01");
    expect(out).toMatch(/^Taints +spot$/m);
    expect(out).toMatch(/^gpu-01 +0 +GPU-1 +NVIDIA H100 +80 GiB +whole +ready +1\/1 +97% +task train-7$/m);
    expect(JSON.parse((await drover("node", "get", "gpu-01", "--json")).out)).toMatchObject({
      labels: { zone: "a" },
      isCordoned: false,
      isEmpty: true,
      drainDeadlineAt: null,
      gpus: [{ uuid: "GPU-1", holders: [{ taskId: "train-7", replica: null }] }],
    });
  });

  it("say how far a drain is", async () => {
    let node = nodeOf({
      state: NodeState.DRAINING,
      isCordoned: true,
      drainDeadlineAt: soon(),
      running: 1,
      replicas: 2,
    });
    const drover = createTestDrover({ nodes: { getNode: () => ({ node }) } });
    expect((await drover("node", "get", "gpu-01")).out).toMatch(/^Drain +until .*, 1 task and 2 replicas left$/m);
    node = nodeOf({ state: NodeState.DRAINING, isCordoned: true, drainDeadlineAt: soon() });
    expect((await drover("node", "get", "gpu-01")).out).toMatch(
      /^State +drained\n.*\nDrain +done: the node is empty$/m,
    );
  });
});

describe("drover node label and taint", () => {
  const asked: object[] = [];
  const drover = createTestDrover({
    nodes: {
      updateNode({ name, setLabels, unsetLabels, addTaints, removeTaints }) {
        asked.push({ name, setLabels, unsetLabels, addTaints, removeTaints });
        return { node: nodeOf() };
      },
    },
  });

  it("send what is set and what is taken away", async () => {
    expect(await drover("node", "label", "n", "zone=b", "note=a=b", "old-")).toMatchObject({ code: 0 });
    expect(await drover("node", "taint", "n", "spot", "gpu-")).toMatchObject({ code: 0 });
    expect(asked).toMatchObject([
      { setLabels: { zone: "b", note: "a=b" }, unsetLabels: ["old"] },
      { addTaints: ["spot"], removeTaints: ["gpu"] },
    ]);
  });

  it("refuse what is neither", async () => {
    const { code, err } = await drover("node", "label", "n", "zone");
    expect({ code, err }).toMatchObject({
      code: 2,
      err: expect.stringContaining('KEY=VALUE or KEY- for LABEL, got "zone"'),
    });
  });
});

describe("drover node drain", () => {
  const answer = {
    node: nodeOf({ state: NodeState.DRAINING, drainDeadlineAt: soon() }),
    items: [
      { kind: "replica", name: "shop/web/1", to: "gpu-02", expectedSeconds: 12 },
      { kind: "replica", name: "shop/db/1", rejections: [{ node: "gpu-02", code: "memory", message: "No memory." }] },
      { kind: "task", name: "train-7", expectedSeconds: 90 },
    ],
    expectedSeconds: 90,
  };

  it("tells where everything goes, and how long it takes", async () => {
    const asked: object[] = [];
    const drover = createTestDrover({
      nodes: { drainNode: ({ deadlineSeconds, planOnly }) => (asked.push({ deadlineSeconds, planOnly }), answer) },
    });
    const { out, err } = await drover("node", "drain", "gpu-01", "--plan", "--within", "500ms");
    expect(out).toMatch(/^replica +shop\/web\/1 +gpu-02 +12s$/m);
    expect(out).toMatch(/^replica +shop\/db\/1 +nowhere: No memory\./m);
    expect(out).toMatch(/^task +train-7 +its queue +1m 30s$/m);
    expect(err).toBe("Nothing was done. It will be empty in about 1m 30s.\n");
    expect(asked).toEqual([{ deadlineSeconds: 1, planOnly: true }]);
  });

  it("with --wait stays until nothing is left, over a moment without the API", async () => {
    const left = [nodeOf({ running: 1, drainDeadlineAt: soon() }), undefined, nodeOf({ drainDeadlineAt: soon() })];
    const drover = createTestDrover({
      nodes: {
        drainNode: () => answer,
        getNode() {
          const node = left.shift();
          // As often as a read is repeated, and once more.
          if (node === undefined) throw new ConnectError("away", Code.Unavailable);
          return { node };
        },
      },
    });
    const { code, out, err } = await drover("node", "drain", "gpu-01", "--wait");
    expect({ code, out }).toMatchObject({
      code: 0,
      out: expect.stringContaining("Node gpu-01 is drained: nothing is left on it."),
    });
    expect(err).toContain("1 task left\n");
  });

  it("with --wait ends when somebody takes the drain back", async () => {
    const nodes = { drainNode: () => answer, getNode: () => ({ node: nodeOf({ running: 1 }) }) };
    expect(await createTestDrover({ nodes })("node", "drain", "gpu-01", "--wait")).toMatchObject({
      code: 1,
      err: expect.stringContaining("was taken back by somebody else"),
    });
  });
});

describe("drover node token", () => {
  const info = { id: 7, nodeName: "gpu-07", actor: "anonymous", expiresAt: soon() };

  it("creates a token, told on stdout alone", async () => {
    const asked: object[] = [];
    const drover = createTestDrover({
      nodes: {
        createJoinToken({ nodeName, ttlSeconds, labels, taints }) {
          asked.push({ nodeName, ttlSeconds, labels, taints });
          return { token: "drover-join-x", info };
        },
      },
    });
    const { out, err } = await drover(
      "node",
      "token",
      "create",
      "--name",
      "gpu-07",
      "--ttl",
      "10m",
      "-l",
      "zone=a",
      "--taint",
      "spot",
    );
    expect(out).toBe("drover-join-x\n");
    expect(err).toContain("drover node join --address http://127.0.0.1:9097 --name gpu-07 --token TOKEN");
    expect(asked).toEqual([{ nodeName: "gpu-07", ttlSeconds: 600, labels: { zone: "a" }, taints: ["spot"] }]);
    expect(JSON.parse((await drover("node", "token", "create", "--json")).out)).toMatchObject({
      token: "drover-join-x",
      id: 7,
      state: "open",
    });
  });

  it("lists what became of each", async () => {
    const tokens = [
      info,
      { ...info, id: 6, usedAt: soon(), usedBy: "gpu-06" },
      { ...info, id: 5, expiresAt: timestampFromMs(1) },
    ];
    const { out } = await createTestDrover({ nodes: { listJoinTokens: () => ({ tokens }) } })("node", "token", "list");
    expect(out).toMatch(/7 +gpu-07 +open/);
    expect(out).toMatch(/6 +gpu-07 +used by gpu-06/);
    expect(out).toMatch(/5 +gpu-07 +expired/);
  });

  it("revokes by number, and knows no other word", async () => {
    const revoked: number[] = [];
    const drover = createTestDrover({ nodes: { revokeJoinToken: ({ id }) => (revoked.push(id), {}) } });
    expect((await drover("node", "token", "revoke", "5", "6")).out).toBe("5  revoked\n6  revoked\n");
    expect(revoked).toEqual([5, 6]);
    expect(await drover("node", "token", "revoke", "five")).toMatchObject({ code: 2 });
    expect((await drover("node", "token", "forget")).err).toContain(
      'Expected one of create, list, revoke, got "forget"',
    );
  });
});

describe("drover node join", () => {
  let folder: string;
  beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "drover-join-"))));
  afterEach(() => rmSync(folder, { recursive: true }));
  const secret = "postgres://drover_node_1:hush@db/drover";
  const joining = (answer = () => ({ node: nodeOf({ state: NodeState.LOST }), databaseUrl: secret })) =>
    createTestDrover({ nodes: { join: answer } });

  it("leaves the login where only its owner can read it, and says how to go on", async () => {
    const file = join(folder, "new", "agent.url");
    const { code, out, err } = await joining()("node", "join", "--token", "t", "--name", "gpu-01", "--url-file", file);
    expect({ code, text: readFileSync(file, "utf8"), mode: statSync(file).mode & 0o777 }).toEqual({
      code: 0,
      text: `${secret}\n`,
      mode: 0o600,
    });
    expect(out + err).not.toContain("hush");
    expect(err).toContain(`DROVER_AGENT_DATABASE_URL_FILE=${file} DROVER_AGENT_NODE=gpu-01 drover agent`);
    expect(readdirSync(join(folder, "new"))).toEqual(["agent.url"]);
  });

  it("prints the login only when it is asked to", async () => {
    expect((await joining()("node", "join", "--token", "t", "--print")).out).toBe(`${secret}\n`);
  });

  it("uses no token up where the file cannot be written, or is there", async () => {
    let joined = 0;
    const drover = joining(() => {
      joined += 1;
      return { node: nodeOf(), databaseUrl: secret };
    });
    const file = join(folder, "agent.url");
    writeFileSync(file, "old");
    const args = ["node", "join", "--token", "t", "--url-file"];
    expect((await drover(...args, file)).err).toContain(`There is a login in ${file} already.`);
    expect((await drover(...args, join(file, "below"))).err).toContain("Expected to be able to write");
    expect(joined).toBe(0);
    chmodSync(file, 0o644);
    expect(await drover(...args, file, "--replace")).toMatchObject({ code: 0 });
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it("leaves nothing behind when it is refused", async () => {
    const drover = joining(() => {
      throw new ConnectError("The join token expired.", Code.PermissionDenied);
    });
    const file = join(folder, "agent.url");
    expect(await drover("node", "join", "--token", "t", "--url-file", file)).toMatchObject({ code: 1 });
    expect(existsSync(file)).toBe(false);
    expect(readdirSync(folder)).toEqual([]);
  });

  it("asks for a token, which may come from the environment", async () => {
    expect(await joining()("node", "join", "--print")).toMatchObject({ code: 2 });
    const drover = createTestDrover({
      nodes: { join: ({ token }) => ({ node: nodeOf(), databaseUrl: `${secret}/${token}` }) },
      env: { DROVER_JOIN_TOKEN: "from-env" },
    });
    expect((await drover("node", "join", "--print")).out).toContain("from-env");
  });
});

describe("drover gpu", () => {
  it("lists GPUs with who holds them, and why one is not ready", async () => {
    const gpus = [gpu, { ...gpu, uuid: "GPU-2", holders: [], state: GpuState.CORDONED, evidence: "Xid 79" }];
    const { out } = await createTestDrover({ nodes: { listGpus: () => ({ gpus }) } })("gpu", "list");
    expect(out).toMatch(/GPU-1 .* ready +1\/1 +97% +task train-7$/m);
    expect(out).toMatch(/GPU-2 .* cordoned +0\/1 +97% +Xid 79$/m);
  });

  it("cordons and uncordons by UUID", async () => {
    const asked: object[] = [];
    const drover = createTestDrover({
      nodes: {
        cordonGpu: ({ uuid, reason }) => (asked.push({ uuid, reason }), { gpu }),
        uncordonGpu: ({ uuid }) => (asked.push({ uuid }), { gpu }),
      },
    });
    expect(await drover("gpu", "cordon", "GPU-1", "--reason", "loud")).toMatchObject({ code: 0 });
    expect(await drover("gpu", "uncordon", "GPU-1")).toMatchObject({ code: 0 });
    expect(asked).toEqual([{ uuid: "GPU-1", reason: "loud" }, { uuid: "GPU-1" }]);
  });
});

describe("drover node remove and revoke", () => {
  it("go on after one that is refused, and exit as it says", async () => {
    const drover = createTestDrover({
      nodes: {
        removeNode({ name, force }) {
          if (name === "busy" && !force) throw new ConnectError('Node "busy" is not empty.', Code.FailedPrecondition);
          return {};
        },
        revokeNodeLogin: () => ({}),
      },
    });
    expect(await drover("node", "remove", "busy", "idle")).toMatchObject({ code: 1, out: "idle  removed\n" });
    expect(await drover("node", "remove", "busy", "--force")).toMatchObject({ code: 0, out: "busy  removed\n" });
    expect((await drover("node", "revoke", "gpu-03")).out).toBe("gpu-03  login revoked\n");
  });
});
