import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import type { WantedReplica } from "@drover/db/node/replica";
import { findTestEngine } from "../docker/testing.ts";
import { containerName } from "./name.ts";
import {
  checkBy,
  clearNode,
  startTestAgent,
  staying,
  type TestAgentOptions,
  uniqueName,
  wantReplica,
} from "./testing.ts";

const found = await findTestEngine();

function setup() {
  if (found.missing !== undefined) throw new Error(found.missing);
  const { docker, host } = found;
  const holder = uniqueName("node");
  const environment = uniqueName("env");
  onTestFinished(() => clearNode(host, holder));
  const agent = (options: Partial<TestAgentOptions> = {}) => startTestAgent({ host, holder, ...options });
  const want = (options: Parameters<typeof wantReplica>[0] = {}) => wantReplica({ environment, ...options });
  const containers = () => docker.listContainers({ all: true, filters: { label: [`drover.holder=${holder}`] } });
  const inspect = (replica: WantedReplica) => docker.getContainer(containerName(replica)).inspect();
  return { docker, holder, environment, agent, want, containers, inspect };
}

describe.skipIf(found.missing !== undefined)(`the reconciler on a real engine ${found.missing ?? ""}`, () => {
  it("brings up a service once the one that it depends on is healthy, in one network, by name", async () => {
    const { agent, want } = setup();
    const { reconciler, said, history } = await agent();
    const redis = want({
      service: "redis",
      spec: {
        command: staying("mkdir /tmp/www; echo hi > /tmp/www/index.html; httpd -p 80 -h /tmp/www"),
        health: checkBy({ kind: "http", port: 80, path: "/", scheme: "http" }),
      },
    });
    const web = want({
      service: "web",
      spec: {
        dependsOn: ["redis"],
        health: checkBy({ kind: "command", command: ["wget", "-q", "-O", "-", "http://redis-1/"] }),
      },
    });
    reconciler.desire([web, redis]);
    await expect.poll(() => [said(redis)?.state, said(web)?.state]).toEqual(["running", "running"]);
    expect(said(web)).toMatchObject({ isHealthy: true, specHash: "hash-1", round: 0, restarts: 0, progress: 100 });
    const order = history.filter(({ state }) => state === "running").map(({ replicaId }) => replicaId);
    expect(order.indexOf(redis.id)).toBeLessThan(order.indexOf(web.id));
    const messages = history.filter(({ replicaId }) => replicaId === web.id).map(({ message }) => message);
    expect(messages).toContain("Waits for redis, which it depends on.");
  });

  it("has a killed container back at once, and a removed one too", async () => {
    const { docker, agent, want, inspect } = setup();
    const { reconciler, said } = await agent({ periodMs: 60_000 });
    const web = want();
    reconciler.desire([web]);
    await expect.poll(() => said(web)?.state).toBe("running");
    const { Id: id, State: state } = await inspect(web);
    await docker.getContainer(id).kill();
    await expect.poll(() => said(web)).toMatchObject({ state: "running", restarts: 1, containerId: id });
    expect((await inspect(web)).State.StartedAt).not.toBe(state.StartedAt);
    await docker.getContainer(id).remove({ force: true });
    await expect.poll(() => said(web)?.state === "running" && said(web)?.containerId !== id).toBe(true);
  });

  it("says which image cannot be had, and tries again", async () => {
    const { agent, want } = setup();
    const { reconciler, said, history } = await agent();
    const web = want({ spec: { image: "127.0.0.1:9/absent:1" } });
    const local = want({ service: "local", spec: { image: "drover-absent:1", pull: "never" } });
    reconciler.desire([web, local]);
    await expect.poll(() => [said(web)?.state, said(local)?.state]).toEqual(["failed", "failed"]);
    await expect.poll(() => said(web)?.message).toMatch(/could not be pulled: .* Next try in 0.4 s\.$/);
    expect(said(local)?.message).toContain("its service never pulls");
    expect(history.filter(({ replicaId }) => replicaId === web.id).every(({ state }) => state !== "running")).toBe(
      true,
    );
  });

  it("starts what ends again and again later and later, until it gives up", async () => {
    const { agent, want } = setup();
    const { reconciler, said } = await agent();
    const restart = { when: "always" as const, baseDelaySeconds: 0.1, maxDelaySeconds: 1, maxRestarts: 2 };
    const web = want({ spec: { command: ["sh", "-c", "exit 3"], restart } });
    reconciler.desire([web]);
    await expect
      .poll(() => said(web))
      .toMatchObject({
        state: "failed",
        exitCode: 3,
        restarts: 2,
        message: "Ended with exit code 3. Given up after 2 restarts.",
      });
  });

  it("gives up what cannot be started as it does what ends, and counts how often it was tried", async () => {
    const { agent, want } = setup();
    const { reconciler, said } = await agent();
    const restart = { when: "always" as const, baseDelaySeconds: 0.1, maxDelaySeconds: 1, maxRestarts: 2 };
    const web = want({ spec: { command: ["/no/such"], restart } });
    reconciler.desire([web]);
    await expect
      .poll(() => said(web))
      .toMatchObject({
        state: "failed",
        restarts: 2,
        message: expect.stringMatching(/\. Given up after 2 restarts\.$/),
      });
  });

  it("removes a network of ours that nobody uses when it starts, also where no container is left to remove", async () => {
    const { docker, agent, want, inspect, holder } = setup();
    const first = await agent();
    const web = want();
    first.reconciler.desire([web]);
    await expect.poll(() => first.said(web)?.state).toBe("running");
    await first.stop();
    await docker.getContainer((await inspect(web)).Id).remove({ force: true });
    const networks = () => docker.listNetworks({ filters: { label: [`drover.holder=${holder}`] } });
    expect(await networks()).toHaveLength(1);
    const second = await agent();
    second.reconciler.desire([]);
    await expect.poll(networks).toEqual([]);
  });

  it("restarts what stops being healthy", async () => {
    const { docker, agent, want, inspect } = setup();
    const { reconciler, said, history, metrics } = await agent();
    const command = staying("touch /tmp/up");
    const web = want({ spec: { command, health: checkBy({ kind: "command", command: ["test", "-e", "/tmp/up"] }) } });
    reconciler.desire([web]);
    await expect.poll(() => said(web)?.state).toBe("running");
    const exec = await docker.getContainer((await inspect(web)).Id).exec({ Cmd: ["rm", "/tmp/up"] });
    await exec.start({ Detach: true });
    await expect.poll(() => said(web)).toMatchObject({ state: "running", restarts: 1 });
    expect(history.map(({ state }) => state)).toContain("unhealthy");
    expect(await metrics.series()).toMatchObject({
      'env_manager_service_start_total{service_name="web",status="success"}': 2,
      'env_manager_service_stop_total{service_name="web",status="success"}': 1,
      env_manager_active_services: 1,
    });
  });

  it("has failed what is not healthy in time", async () => {
    const { agent, want } = setup();
    const { reconciler, history, metrics } = await agent();
    const web = want({ spec: { health: checkBy({ kind: "tcp", port: 81 }, { startSeconds: 0.5 }) } });
    reconciler.desire([web]);
    await expect
      .poll(() => history.map(({ message }) => message))
      .toContainEqual(expect.stringMatching(/^Not healthy within 0.5 s of its start: connect ECONNREFUSED/));
    expect(await metrics.series()).toMatchObject({
      'env_manager_failed_service_starts_total{service_name="web",reason="health_check_failed"}': 1,
    });
  });

  it("replaces the container of another spec or round, and stops and removes what is not wanted", async () => {
    const { docker, agent, want, inspect, containers, holder } = setup();
    const { reconciler, said } = await agent();
    const web = want();
    reconciler.desire([web]);
    await expect.poll(() => said(web)?.state).toBe("running");
    const first = (await inspect(web)).Id;
    const changed = {
      ...web,
      specHash: "hash-2",
      spec: { ...web.spec, service: { ...web.spec.service, env: { A: "1" } } },
    };
    reconciler.desire([changed]);
    await expect.poll(() => said(web)).toMatchObject({ state: "running", specHash: "hash-2" });
    const second = await inspect(web);
    expect(second.Id).not.toBe(first);
    expect(second.Config.Env).toContain("A=1");
    reconciler.desire([{ ...changed, round: 1 }]);
    await expect.poll(() => said(web)).toMatchObject({ state: "running", round: 1 });
    expect((await inspect(web)).Id).not.toBe(second.Id);
    reconciler.desire([{ ...changed, round: 1, wanted: "stopped" }]);
    await expect.poll(() => said(web)?.state).toBe("stopped");
    expect((await inspect(web)).State).toMatchObject({ Running: false, ExitCode: 0 });
    reconciler.desire([{ ...changed, round: 1, wanted: "gone" }]);
    await expect.poll(() => said(web)?.state).toBe("gone");
    expect(await containers()).toEqual([]);
    await expect.poll(async () => docker.listNetworks({ filters: { label: [`drover.holder=${holder}`] } })).toEqual([]);
  });

  it("ends containers that nobody asks for, once it knows what is asked for", async () => {
    const { agent, want, containers } = setup();
    const first = await agent();
    const [kept, lost] = [want(), want({ service: "lost" })];
    first.reconciler.desire([kept, lost]);
    await expect.poll(() => [first.said(kept)?.state, first.said(lost)?.state]).toEqual(["running", "running"]);
    await first.stop();
    const second = await agent({ periodMs: 50 });
    await expect.poll(async () => (await containers()).filter(({ State }) => State === "running").length).toBe(2);
    second.reconciler.desire([kept]);
    await expect.poll(async () => (await containers()).length).toBe(1);
    expect(second.said(kept)?.state).toBe("running");
  });

  it("takes up everything that runs after its own restart, and restarts none of it", async () => {
    const { agent, want, containers } = setup();
    const first = await agent();
    const secrets = mkdtempSync(join(tmpdir(), "drover-mount-"));
    onTestFinished(() => rmSync(secrets, { recursive: true }));
    const everything = {
      health: checkBy({ kind: "command" as const, command: ["true"] }),
      env: { A: "b=c", EMPTY: "" },
      ports: [
        { containerPort: 80, hostIp: "127.0.0.1", protocol: "tcp" as const },
        { containerPort: 53, hostIp: "127.0.0.1", protocol: "udp" as const },
      ],
      mounts: [
        { kind: "volume" as const, volume: "data", mountPath: "/data", isReadOnly: false },
        { kind: "tmpfs" as const, mountPath: "/scratch", sizeBytes: 1_048_576 },
        { kind: "bind" as const, hostPath: secrets, mountPath: "/host", isReadOnly: true },
      ],
      resources: { cpuMillicores: 500, memoryBytes: 64 * 1024 * 1024, pids: 100, shmBytes: 8 * 1024 * 1024 },
      user: "1000:1000",
      workingDir: "/tmp",
      isReadOnlyRoot: true,
      labels: { team: "a" },
    };
    const replicas = [1, 2, 3].map((number) =>
      want({
        number,
        spec: everything,
        volumes: [{ name: "data" }],
        networks: [{ name: "front" }, { name: "back", isInternal: true }],
      }),
    );
    const rules = { allowedHostPaths: [secrets] };
    await first.stop();
    const before = await agent({ rules });
    before.reconciler.desire(replicas);
    await expect.poll(() => replicas.map((one) => before.said(one)?.state)).toEqual(["running", "running", "running"]);
    const ids = (await containers()).map(({ Id }) => Id).toSorted();
    await before.stop();
    const after = await agent({ rules });
    after.reconciler.desire(replicas);
    await expect.poll(() => replicas.map((one) => after.said(one)?.state)).toEqual(["running", "running", "running"]);
    expect(replicas.map((one) => after.said(one)?.drift)).toEqual([undefined, undefined, undefined]);
    expect(replicas.map((one) => after.said(one)?.restarts)).toEqual([0, 0, 0]);
    expect((await containers()).map(({ Id, State }) => (State === "running" ? Id : State)).toSorted()).toEqual(ids);
  });

  it("makes a container anew that was changed by hand, or tells what was changed", async () => {
    const { docker, agent, want, inspect } = setup();
    const first = await agent();
    const web = want({ spec: { resources: { memoryBytes: 32 * 1024 * 1024 } } });
    first.reconciler.desire([web]);
    await expect.poll(() => first.said(web)?.state).toBe("running");
    const { Id: id } = await inspect(web);
    const edit = () =>
      docker.getContainer(containerName(web)).update({ Memory: 48 * 1024 * 1024, MemorySwap: 48 * 1024 * 1024 });
    await edit();
    await expect.poll(async () => (await inspect(web).catch(() => undefined))?.Id).not.toBe(id);
    await expect.poll(async () => (await inspect(web).catch(() => undefined))?.HostConfig.Memory).toBe(33_554_432);
    await expect.poll(() => first.said(web)?.state).toBe("running");
    const watched = { ...web, spec: { ...web.spec, service: { ...web.spec.service, drift: "observe" as const } } };
    first.reconciler.desire([watched]);
    await edit();
    const told = { state: "running", drift: [{ field: "memory", wanted: "33554432", found: "50331648" }] };
    await expect.poll(() => first.said(web)).toMatchObject(told);
    await first.stop();
    const second = await agent({ drift: "observe" });
    second.reconciler.desire([web]);
    await expect.poll(() => second.said(web)).toMatchObject(told);
    const mending = { ...watched, spec: { ...web.spec, service: { ...web.spec.service, drift: "converge" as const } } };
    second.reconciler.desire([mending]);
    await expect.poll(() => [second.said(web)?.state, second.said(web)?.drift]).toEqual(["running", undefined]);
  });

  it("gives a program that does not listen to SIGTERM an init, where its service asks for one", async () => {
    const { agent, want, inspect } = setup();
    const { reconciler, said } = await agent();
    const deaf = { command: ["sh", "-c", "while :; do sleep 1000; done"], stopGraceSeconds: 1 };
    const alone = want({ service: "alone", spec: deaf });
    const helped = want({ service: "helped", spec: { ...deaf, hasInit: true } });
    reconciler.desire([alone, helped]);
    await expect.poll(() => [alone, helped].map((one) => said(one)?.state)).toEqual(["running", "running"]);
    reconciler.desire([alone, helped].map((one) => ({ ...one, wanted: "stopped" as const })));
    await expect.poll(() => [alone, helped].map((one) => said(one)?.state)).toEqual(["stopped", "stopped"]);
    const codes = await Promise.all([alone, helped].map(async (one) => (await inspect(one)).State.ExitCode));
    expect(codes).toEqual([137, 143]);
  });

  it("gives secrets from the node's files to the container alone, and names the one that is missing", async () => {
    const { agent, want, inspect } = setup();
    const secretsDir = mkdtempSync(join(tmpdir(), "drover-secret-"));
    onTestFinished(() => rmSync(secretsDir, { recursive: true }));
    writeFileSync(join(secretsDir, "token"), "s3cr3t-value\n");
    const { reconciler, said, history } = await agent({ rules: { secretsDir } });
    const web = want({ spec: { env: { TOKEN: { secret: "token" } } } });
    const lacking = want({ service: "lacking", spec: { env: { KEY: { secret: "absent" } } } });
    const climbing = want({ service: "climbing", spec: { env: { KEY: { secret: "../token" } } } });
    reconciler.desire([web, lacking, climbing]);
    await expect.poll(() => said(web)?.state).toBe("running");
    const { Config: config } = await inspect(web);
    expect(config.Env).toContain("TOKEN=s3cr3t-value");
    expect(JSON.stringify(config.Labels)).not.toContain("s3cr3t");
    await expect
      .poll(() => said(lacking)?.message)
      .toContain('The secret "absent" for KEY is missing: the node does not have it.');
    expect(said(lacking)?.state).toBe("failed");
    await expect.poll(() => said(climbing)?.message).toContain("expected a plain file name");
    expect(JSON.stringify(history)).not.toContain("s3cr3t");
  });

  it("refuses host paths that the node does not allow", async () => {
    const { agent, want } = setup();
    const { reconciler, said } = await agent();
    const web = want({ spec: { mounts: [{ kind: "bind", hostPath: "/etc", mountPath: "/host", isReadOnly: true }] } });
    reconciler.desire([web]);
    await expect.poll(() => said(web)?.message).toContain('The mount of "/etc" is refused');
    expect(said(web)?.state).toBe("failed");
  });

  it("stops what must not run without the control plane, and starts it again at its answer", async () => {
    const { agent, want } = setup();
    const { reconciler, said } = await agent({ periodMs: 200 });
    const stopping = want({ spec: { onDisconnect: { kind: "stop", afterSeconds: 1 } } });
    const keeping = want({ service: "keeping" });
    reconciler.desire([stopping, keeping]);
    await expect.poll(() => [said(stopping)?.state, said(keeping)?.state]).toEqual(["running", "running"]);
    // Syncs are awaited for five seconds over their time, whatever the policy says.
    await expect.poll(() => said(stopping)?.state, { timeout: 15_000 }).toBe("stopped");
    expect(said(stopping)?.message).toBe("Stopped, since the control plane cannot be reached.");
    expect(said(keeping)?.state).toBe("running");
    reconciler.answered(1000);
    await expect.poll(() => said(stopping)?.state).toBe("running");
  });

  it("stops it as well after a start of its own that no answer follows, and nothing else", async () => {
    const { agent, want, containers } = setup();
    const first = await agent();
    const replicas = [
      want({ service: "stopping", spec: { onDisconnect: { kind: "stop", afterSeconds: 1 } } }),
      want({ service: "keeping" }),
    ];
    first.reconciler.desire(replicas);
    await expect.poll(() => replicas.map((one) => first.said(one)?.state)).toEqual(["running", "running"]);
    await first.stop();
    const second = await agent({ periodMs: 200 });
    await expect
      .poll(async () => (await containers()).filter(({ State }) => State === "running").map(({ Names }) => Names[0]))
      .toEqual([expect.stringContaining("keeping")]);
    second.reconciler.desire(replicas);
    await expect.poll(() => replicas.map((one) => second.said(one)?.state)).toEqual(["running", "running"]);
  });
});
