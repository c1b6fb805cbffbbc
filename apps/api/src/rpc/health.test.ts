import { Code, createClient, createRouterTransport } from "@connectrpc/connect";
import { Health, HealthCheckResponse_ServingStatus as Status } from "@drover/proto/grpc/health/v1/health";
import { describe, expect, it } from "vitest";
import { createServingStates, registerHealth } from "./health.ts";

function setup() {
  const states = createServingStates(["a.B", "a.C"]);
  const client = createClient(
    Health,
    createRouterTransport((router) => registerHealth(router, states)),
  );
  const watch = (service: string, signal?: AbortSignal) =>
    client.watch({ service }, signal === undefined ? {} : { signal })[Symbol.asyncIterator]();
  return { states, client, watch };
}

describe("health", () => {
  it("answers for the server and for each service", async () => {
    const { states, client } = setup();
    states.set("not_serving", "a.B");
    const statuses = await Promise.all(["", "a.B", "a.C"].map((service) => client.check({ service })));
    expect(statuses.map(({ status }) => status)).toEqual([Status.SERVING, Status.NOT_SERVING, Status.SERVING]);
  });

  it("does not know other services, and says which name it got", async () => {
    const { client } = setup();
    const attempt = client.check({ service: "a.D" });
    await expect(attempt).rejects.toMatchObject({ code: Code.NotFound, rawMessage: expect.stringContaining('"a.D"') });
  });

  it("tells watchers the state now, then each change once", async () => {
    const { states, watch } = setup();
    const stream = watch("a.B");
    expect((await stream.next()).value).toMatchObject({ status: Status.SERVING });
    states.set("serving");
    states.set("not_serving");
    expect((await stream.next()).value).toMatchObject({ status: Status.NOT_SERVING });
    states.set("serving", "a.B");
    expect((await stream.next()).value).toMatchObject({ status: Status.SERVING });
  });

  it("tells watchers of an unknown service so, and goes on until it is known", async () => {
    const { states, watch } = setup();
    const stream = watch("a.D");
    expect((await stream.next()).value).toMatchObject({ status: Status.SERVICE_UNKNOWN });
    states.set("serving", "a.D");
    expect((await stream.next()).value).toMatchObject({ status: Status.SERVING });
  });
});
