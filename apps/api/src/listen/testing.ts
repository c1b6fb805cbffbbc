import type { ConnectRouter, HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { OrchestratorService } from "@drover/proto/orchestrator/orchestrator";
import { DroverError } from "@drover/domain/error";
import { TaskService } from "@drover/proto/drover/task";
import { setTimeout as delay } from "node:timers/promises";
import { onTestFinished } from "vitest";
import { listen } from "../listen.ts";
import type { ListenOptions, Listener } from "../listen.ts";
import { createRequestGate } from "../rpc/gate.ts";
import { createServingStates, registerHealth } from "../rpc/health.ts";
import type { ServingStates } from "../rpc/health.ts";
import { createInterceptors } from "../rpc/interceptors.ts";
import type { ObservedCall } from "../rpc/observe.ts";
import { registerReflection } from "../rpc/reflection.ts";
import { createSizeOptions } from "../rpc/size.ts";
import { createValidation } from "../rpc/validate.ts";

export interface TestServer {
  url: string;
  port: number;
  listener: Listener;
  states: ServingStates;
  /** The calls that have ended, and the faults that no client saw. */
  observed: ObservedCall[];
  faults: unknown[];
  /** Resolves when a call to StreamEvents was aborted. */
  eventsAborted: Promise<unknown>;
  /** Lets GetMetrics answer. */
  releaseMetrics: () => void;
  /** How many calls to GetMetrics wait. */
  waitingMetrics: () => number;
}

const services = [OrchestratorService, TaskService];
const validation = createValidation(services);

/** A server on a free port with small handlers of our own, stopped when the test ends. */
export async function startTestServer(options: Partial<ListenOptions> = {}): Promise<TestServer> {
  const draining = new AbortController();
  const states = createServingStates(services.map(({ typeName }) => typeName));
  const observed: ObservedCall[] = [];
  const faults: unknown[] = [];
  const events = Promise.withResolvers<unknown>();
  const metrics = Promise.withResolvers<void>();
  let waitingMetrics = 0;
  const onCall = (call: ObservedCall): void => void observed.push(call);
  const interceptors = createInterceptors({ onCall, draining: draining.signal, validation });
  const requestGate = createRequestGate({ onCall });
  const orchestrator: Partial<ServiceImpl<typeof OrchestratorService>> = {
    health,
    submitTask,
    streamTaskResults,
    async *streamEvents(_, { signal }) {
      yield { eventType: "task_submitted", resourceId: "1" };
      signal.addEventListener("abort", () => events.resolve(signal.reason));
      await new Promise(() => undefined);
    },
    async getMetrics() {
      waitingMetrics++;
      await metrics.promise;
      return { metrics: { tasks_pending: 3 } };
    },
  };
  const listener = await listen({
    addresses: ["127.0.0.1:0"],
    draining,
    rpc: { ...createSizeOptions({ readMaxBytes: 64 * 1024 }), interceptors, requestGate },
    routes(router: ConnectRouter) {
      router.service(OrchestratorService, orchestrator);
      router.service(TaskService, { submitTask: ({ task }) => ({ id: task?.id ?? "", created: true }) });
      registerHealth(router, states);
      registerReflection(router, services);
    },
    fetch: async (request) => new Response(`${request.method} ${(await request.text()).length}`),
    onFault: (fault) => faults.push(fault),
    ...options,
  });
  onTestFinished(async () => {
    metrics.resolve();
    await listener.stop(500);
  });
  const [first] = listener.addresses;
  if (first === undefined) throw new Error("Expected an address, got none.");
  return {
    url: first.url,
    port: first.port,
    listener,
    states,
    observed,
    faults,
    eventsAborted: events.promise,
    releaseMetrics: metrics.resolve,
    waitingMetrics: () => waitingMetrics,
  };
}

function health(_: unknown, context: HandlerContext) {
  const given = context.requestHeader.get("x-tenant");
  if (given !== null) context.responseHeader.set("x-tenant", given);
  context.responseTrailer.set("x-served-by", "drover");
  return { healthy: true, version: "0.1.0", services: { orchestrator: "healthy" } };
}

async function submitTask({ id, payload }: { id: string; payload: Record<string, string> }) {
  if (id === "slow") await new Promise(() => undefined);
  if (id === "taken") throw new DroverError("conflict", 'Expected a new id, got "taken" with another body.');
  if (id === "full") throw new DroverError("overloaded", "The queue is full.", { retryAfterMs: 1500 });
  if (id === "wrong") {
    const fields = [{ field: "payload.image", message: 'must be an image, got "-"' }];
    throw new DroverError("invalid", 'payload.image must be an image, got "-".', { fields });
  }
  if (id === "broken") throw new Error("insert into drover.task values ('secret')");
  return { success: true, taskId: id, error: payload["echo"] ?? "" };
}

async function* streamTaskResults({ taskIds }: { taskIds: string[] }, { signal }: HandlerContext) {
  for (const taskId of taskIds) yield { taskId, status: "completed", result: { latency_ms: "1" } };
  // Without ids the stream has no end: one message every few ms, as long as there is a reader.
  for (let index = 0; taskIds.length === 0 && !signal.aborted; index++) {
    yield { taskId: String(index), status: "running" };
    await delay(5, undefined, { signal }).catch(() => undefined);
  }
}
