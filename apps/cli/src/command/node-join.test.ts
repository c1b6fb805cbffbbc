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
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { NodeSchema, NodeState } from "@drover/proto/drover/node";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createTestDrover } from "../testing.ts";

const soon = () => timestampFromMs(Date.now() + 300_000);
const node = create(NodeSchema, { name: "gpu-01", state: NodeState.LOST });

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

  it("takes thirty days at most, and says so as a person does", async () => {
    const { code, err } = await createTestDrover()("node", "token", "create", "--ttl", "400d");
    expect(code).toBe(2);
    expect(err).toContain("Expected --ttl of at most 30d, got 400d.");
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
  const joining = (answer = () => ({ node, databaseUrl: secret })) => createTestDrover({ nodes: { join: answer } });

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

  it("says so when the login leads to the API's own machine, and that is another one", async () => {
    const drover = joining(() => ({ node, databaseUrl: "postgres://n:hush@127.0.0.1:5432/drover" }));
    const args = ["node", "join", "--token", "t", "--print"];
    expect((await drover(...args)).err).not.toContain("DROVER_NODE_DATABASE_URL");
    expect((await drover(...args, "--address", "http://control:9097")).err).toContain("DROVER_NODE_DATABASE_URL");
  });

  it("uses no token up where the file cannot be written, or is there", async () => {
    let joined = 0;
    const drover = joining(() => {
      joined += 1;
      return { node, databaseUrl: secret };
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
      nodes: { join: ({ token }) => ({ node, databaseUrl: `${secret}/${token}` }) },
      env: { DROVER_JOIN_TOKEN: "from-env" },
    });
    expect((await drover("node", "join", "--print")).out).toContain("from-env");
  });
});
