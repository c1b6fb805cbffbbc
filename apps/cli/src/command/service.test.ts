import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  EnvironmentSchema,
  EnvironmentState,
  ReplicaState,
  type StreamServiceLogsRequest,
  StreamServiceLogsResponseSchema,
} from "@drover/proto/drover/environment";
import type { PullImagesRequest } from "@drover/proto/drover/node";
import { describe, expect, it } from "vitest";
import { createTestDrover, type TestDroverOptions } from "../testing.ts";

const { RUNNING, STOPPED, STARTING } = ReplicaState;

const services = [
  {
    name: "redis",
    required: true,
    state: RUNNING,
    replicas: 1,
    running: 1,
    instances: [{ number: 1, state: RUNNING, node: "n1" }],
  },
  {
    name: "worker",
    required: true,
    state: RUNNING,
    replicas: 2,
    running: 2,
    instances: [1, 2].map((number) => ({ number, state: RUNNING, node: "n2", gpuUuids: [`GPU-${number}`] })),
  },
  { name: "old", required: true, state: STOPPED, isStopped: true, replicas: 1 },
];

const environment = (more: MessageInitShape<typeof EnvironmentSchema> = {}) =>
  create(EnvironmentSchema, { name: "shop", generation: 1, state: EnvironmentState.READY, services, ...more });

function setup(environments: TestDroverOptions["environments"] = {}, options: TestDroverOptions = {}) {
  return createTestDrover({
    environments: { getEnvironment: () => ({ environment: environment() }), ...environments },
    ...options,
  });
}

const line = (replica: number, stream: string, message: string, second: number, nanos = 5) =>
  create(StreamServiceLogsResponseSchema, {
    replica,
    stream,
    message,
    containerId: `c${replica}`,
    at: { seconds: BigInt(1_767_225_600 + second), nanos },
  });

describe("drover service start, stop and restart", () => {
  it("say which services were told, and in which order", async () => {
    const asked: object[] = [];
    const note = ({ environment: name, services: names }: { environment: string; services: string[] }) => {
      asked.push({ name, names });
      return { services: ["zookeeper", ...names] };
    };
    const drover = setup({ startServices: note, stopServices: note, restartServices: note });
    expect(await drover("service", "start", "shop", "worker")).toEqual({
      code: 0,
      out: "shop: zookeeper, worker told to start\n",
      err: "Try: drover service status shop\n",
    });
    expect((await drover("service", "stop", "shop")).out).toBe("shop: zookeeper told to stop\n");
    expect(JSON.parse((await drover("service", "restart", "shop", "--json")).out)).toEqual({
      environment: "shop",
      services: ["zookeeper"],
    });
    expect(asked).toEqual([
      { name: "shop", names: ["worker"] },
      { name: "shop", names: [] },
      { name: "shop", names: [] },
    ]);
  });

  it("wait for those that were named, required or not", async () => {
    const mail = { name: "mail", replicas: 1, required: false };
    const drover = setup({
      getEnvironment: () => ({ environment: environment({ services: [...services, mail] }) }),
      startServices: () => ({ services: ["mail"] }),
      stopServices: () => ({ services: ["old"] }),
      async *watchEnvironment() {
        const failed = { ...mail, state: ReplicaState.FAILED, message: "No image.", instances: [{ containerId: "c" }] };
        yield { environment: environment({ services: [...services, { ...mail, state: STARTING }] }) };
        yield { environment: environment({ services: [...services, failed] }) };
      },
    });
    const { code, err } = await drover("service", "start", "shop", "mail", "--wait");
    expect(code).toBe(1);
    expect(err).toContain("  mail: No image.\nTry: drover service logs shop mail --tail 50\n");
    expect(await drover("service", "stop", "shop", "old", "--wait")).toMatchObject({
      code: 0,
      err: expect.stringMatching(/^stopped after /) as string,
    });
  });
});

describe("drover service status", () => {
  it("shows replicas by number, and what they use where it is asked for", async () => {
    const used = { service: "worker", replica: 2, cpuPercent: 12.5, memoryBytes: 2n ** 30n, networkRxBytes: 10n };
    const drover = setup({ getServiceUsage: () => ({ usage: [used] }) });
    const { out } = await drover("service", "status", "shop", "worker", "--usage");
    expect(out).toMatch(/^SERVICE +STATE +NODE +PORTS +UP +RESTARTS +CPU +MEMORY +RECEIVED +SENT +GPUS +NOTE\n/);
    expect(out).toMatch(/\nworker\/1 +running +n2 +- +0 +- +- +- +- +1\n/);
    expect(out).toMatch(/\nworker\/2 +running +n2 +- +0 +13 % +1 GiB +10 B +0 B +1\n$/);
    const json = JSON.parse((await drover("service", "status", "shop", "worker", "--usage", "--json")).out) as object[];
    expect(json).toMatchObject([{ name: "worker", state: "running", usage: [{ cpuPercent: 12.5 }] }]);
  });

  it.each(["status", "logs", "health", "start", "stop", "restart"])(
    "and %s know what a misspelt service or environment was to be",
    async (verb) => {
      expect(await setup()("service", verb, "shop", "redsi")).toEqual({
        code: 3,
        out: "",
        err: 'Error: Environment "shop" has no service "redsi". Did you mean "redis"?\nTry: drover service status shop\n',
      });
      const drover = setup({
        getEnvironment() {
          throw new ConnectError('There is no environment "shpo".', Code.NotFound);
        },
        listEnvironments: () => ({ environments: [environment()] }),
      });
      expect(await drover("service", verb, "shpo", "redis")).toMatchObject({
        code: 3,
        err: 'Error: There is no environment "shpo". Did you mean "shop"?\nTry: drover env list\n',
      });
    },
  );
});

describe("drover service logs", () => {
  it("writes lines where they were written, named by their replica where there are several", async () => {
    const requests: StreamServiceLogsRequest[] = [];
    const drover = setup({
      async *streamServiceLogs(request) {
        requests.push(request);
        yield line(1, "stdout", "one", 0);
        yield line(2, "stderr", "two\n", 1);
      },
    });
    expect(await drover("service", "logs", "shop", "worker", "--tail", "5")).toEqual({
      code: 0,
      out: "worker/1 | one\n",
      err: "worker/2 | two\n",
    });
    expect(await drover("service", "logs", "shop", "redis", "-t", "--replica", "1")).toMatchObject({
      out: "2026-01-01T00:00:00.000000005Z one\n",
    });
    expect(requests).toMatchObject([
      { service: "worker", tail: 5, follow: false },
      { service: "redis", tail: 0, replica: 1 },
    ]);
    const json = await drover("service", "logs", "shop", "worker", "--json");
    expect(
      json.out
        .trim()
        .split("\n")
        .map((text) => JSON.parse(text) as object),
    ).toMatchObject([
      { replica: 1, stream: "stdout", message: "one", containerId: "c1", time: "2026-01-01T00:00:00.000000005Z" },
      { replica: 2, stream: "stderr", message: "two" },
    ]);
  });

  it("goes on where the stream is cut, and says no line twice", async () => {
    const requests: StreamServiceLogsRequest[] = [];
    const drover = setup({
      async *streamServiceLogs(request) {
        requests.push(request);
        yield line(1, "stdout", "one", 20, 1);
        yield line(1, "stdout", "two", 20, 2);
        if (requests.length === 1) throw new ConnectError("aborted", Code.Aborted);
        yield line(1, "stdout", "three", 20, 3);
      },
    });
    const { out } = await drover("service", "logs", "shop", "redis", "--follow", "--tail", "9");
    expect(out).toBe("one\ntwo\nthree\n");
    expect(requests[1]).toMatchObject({ tail: 0, since: { seconds: 1_767_225_610n } });
  });

  it("waits, following, for a container of a service that has none yet", async () => {
    let asked = 0;
    const drover = setup({
      async *streamServiceLogs() {
        asked += 1;
        if (asked < 3) throw new ConnectError('Service "redis" of "shop" has no container yet.', Code.NotFound);
        yield line(1, "stdout", "one", 0);
      },
    });
    expect(await drover("service", "logs", "shop", "redis", "--follow")).toEqual({
      code: 0,
      out: "one\n",
      err: 'Service "redis" of "shop" has no container yet. Waiting for it.\n',
    });
    asked = 0;
    expect(await drover("service", "logs", "shop", "old", "--follow")).toMatchObject({ code: 3, out: "" });
    asked = 0;
    expect(await drover("service", "logs", "shop", "worker", "--follow", "--replica", "3")).toMatchObject({ code: 3 });
  });

  it("passes on why there is nothing to read", async () => {
    const drover = setup({
      // eslint-disable-next-line require-yield
      async *streamServiceLogs() {
        throw new ConnectError('Service "redis" of "shop" has no container.', Code.NotFound);
      },
    });
    expect(await drover("service", "logs", "shop", "redis")).toEqual({
      code: 3,
      out: "",
      err: 'Error: Service "redis" of "shop" has no container.\nTry: drover env list\n',
    });
  });
});

describe("drover service health", () => {
  const healthy = (service: string, replica: number, isHealthy = true) => ({
    service,
    replica,
    healthy: isHealthy,
    message: isHealthy ? "PONG" : "It timed out.",
    at: timestampFromMs(0),
    details: { node: "n1" },
  });

  it("leaves after one round, without what was stopped, and exits with 1 where one is unhealthy", async () => {
    const asked: string[][] = [];
    let isWell = true;
    const drover = setup({
      async *streamServiceHealth({ services: names }) {
        asked.push(names);
        yield healthy("worker", 2, isWell);
        yield healthy("redis", 1);
        yield healthy("worker", 1);
        throw new ConnectError("Nobody was to ask on.", Code.Internal);
      },
    });
    const { code, out } = await drover("service", "health", "shop", "--once");
    expect(code).toBe(0);
    expect(out.split("\n").slice(1, -1)).toEqual([
      "redis     healthy  n1    PONG",
      "worker/1  healthy  n1    PONG",
      "worker/2  healthy  n1    PONG",
    ]);
    isWell = false;
    expect(await drover("service", "health", "shop", "--once", "--json")).toMatchObject({ code: 1 });
    expect(asked[0]).toEqual(["redis", "worker"]);
  });

  it("says every answer in a line until it is interrupted", async () => {
    const stop = new AbortController();
    const drover = setup(
      {
        async *streamServiceHealth({ intervalSeconds }, { signal }) {
          expect(intervalSeconds).toBe(2);
          yield healthy("worker", 2, false);
          stop.abort("SIGINT");
          await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
        },
      },
      { stop: stop.signal },
    );
    const { code, out } = await drover("service", "health", "shop", "--interval", "2s");
    expect(code).toBe(130);
    expect(out).toMatch(/^\d\d:\d\d:\d\d {2}worker\/2 {2}unhealthy {2}It timed out\.\n$/);
    expect((await setup()("service", "health", "shop", "--interval", "500ms")).code).toBe(2);
  });
});

describe("drover image pull", () => {
  const pull = (node: string, status: string, percent: number, message = "") => ({
    node,
    image: "redis:7",
    status,
    percent,
    message,
    currentBytes: BigInt(percent * 2 ** 20),
    totalBytes: BigInt(100 * 2 ** 20),
  });
  const pulling = (...answers: ReturnType<typeof pull>[]): NonNullable<TestDroverOptions["nodes"]> => ({
    async *pullImages() {
      yield* answers;
    },
  });
  const whole = [
    pull("n1", "downloading", 1),
    pull("n1", "downloading", 4),
    pull("n1", "downloading", 42),
    pull("n1", "complete", 100),
  ];

  it("says every tenth in a line where nobody looks", async () => {
    const { code, out, err } = await createTestDrover({ nodes: pulling(...whole) })("image", "pull", "redis:7");
    expect(out.replace(/\d\d:\d\d:\d\d/g, "TIME")).toBe(
      [
        "TIME  n1  redis:7  downloading  1 %  1 MiB of 100 MiB",
        "TIME  n1  redis:7  downloading  42 %  42 MiB of 100 MiB",
        "TIME  n1  redis:7  complete  100 MiB\n",
      ].join("\n"),
    );
    expect({ code, err }).toMatchObject({ code: 0, err: expect.stringMatching(/^complete after /) as string });
  });

  it("draws a table on a terminal, and leaves its end", async () => {
    const drover = createTestDrover({ nodes: pulling(...whole), columns: 100 });
    const { out } = await drover("image", "pull", "redis:7", "--no-color");
    expect(out.split("\u001B[?7l")[3]).toContain("redis:7  downloading  [########------------]  42 %");
    expect(out.split("\u001B[J").at(-1)).toMatch(/\nn1 +redis:7 +complete +\[#{20}\] 100 % +100 MiB\n$/);
  });

  it("exits with 1 where one could not be fetched, and asks for the nodes that were named", async () => {
    const asked: PullImagesRequest[] = [];
    const drover = createTestDrover({
      nodes: {
        async *pullImages(request) {
          asked.push(request);
          yield pull("n1", "complete", 100);
          yield pull("n2", "error", 0, "There is no such image.");
        },
      },
    });
    const { code, out, err } = await drover("image", "pull", "redis:7", "--node", "n1", "--node", "n2");
    expect(code).toBe(1);
    expect(out).toContain("n2  redis:7  error  ");
    expect(err).toMatch(/^failed after .+: 1 of 2 pulls\.\n$/);
    expect(asked[0]).toMatchObject({ images: ["redis:7"], nodes: ["n1", "n2"] });
    const json = await drover("image", "pull", "redis:7", "--json");
    expect(json).toMatchObject({ code: 1, err: "" });
    expect(
      json.out
        .trim()
        .split("\n")
        .map((text) => JSON.parse(text) as object),
    ).toMatchObject([
      { node: "n1", status: "complete" },
      { node: "n2", status: "error" },
    ]);
  });
});
