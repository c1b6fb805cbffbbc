import { Code, ConnectError } from "@connectrpc/connect";
import type { ConnectRouter } from "@connectrpc/connect";
import { Health, HealthCheckResponse_ServingStatus as Status } from "@drover/proto/grpc/health/v1/health";

export type ServingState = "serving" | "not_serving";

/** What the health service tells: per service, and for the server as a whole under the empty name. */
export interface HealthSource {
  /** Undefined for a service that is not known. */
  status: (service: string) => ServingState | undefined;
  /** Calls the listener after every change; returns how to stop that. */
  subscribe: (listener: () => void) => () => void;
}

export interface ServingStates extends HealthSource {
  /** Sets one service, or all of them and the server itself. */
  set: (state: ServingState, service?: string) => void;
}

/** Keeps the state of the named services and of the server, all serving at first. */
export function createServingStates(services: readonly string[]): ServingStates {
  const states = new Map<string, ServingState>(["", ...services].map((name) => [name, "serving"]));
  const listeners = new Set<() => void>();
  return {
    status: (service) => states.get(service),
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    set(state, service) {
      for (const name of service === undefined ? states.keys() : [service]) states.set(name, state);
      for (const listener of listeners) listener();
    },
  };
}

/** Serves grpc.health.v1 from a source. */
export function registerHealth(router: ConnectRouter, source: HealthSource): void {
  router.service(Health, {
    check({ service }) {
      const state = source.status(service);
      if (state !== undefined) return { status: toStatus(state) };
      throw new ConnectError(`Expected the full name of a service of this server, got "${service}".`, Code.NotFound);
    },
    async *watch({ service }, { signal }) {
      for await (const state of follow(source, service, signal)) yield { status: toStatus(state) };
    },
  });
}

function toStatus(state: ServingState | undefined): Status {
  if (state === undefined) return Status.SERVICE_UNKNOWN;
  return state === "serving" ? Status.SERVING : Status.NOT_SERVING;
}

async function* follow(source: HealthSource, service: string, signal: AbortSignal) {
  let wake: () => void = () => undefined;
  const unsubscribe = source.subscribe(() => wake());
  const onAbort = (): void => wake();
  signal.addEventListener("abort", onAbort);
  try {
    let state = source.status(service);
    yield state;
    for (;;) {
      const changed = new Promise<void>((resolve) => (wake = resolve));
      const latest = source.status(service);
      if (latest !== state) {
        state = latest;
        yield state;
      } else if (signal.aborted) return;
      else await changed;
    }
  } finally {
    unsubscribe();
    signal.removeEventListener("abort", onAbort);
  }
}
