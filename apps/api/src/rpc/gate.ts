import { Code, ConnectError } from "@connectrpc/connect";
import type { HandlerContext } from "@connectrpc/connect";
import { randomUUID } from "node:crypto";
import { codeName, requestIdKey } from "./observe.ts";
import type { ObserveOptions } from "./observe.ts";

/**
 * Deals with calls that end before any interceptor sees them, because their message cannot be read: reports them, and
 * gives unreadable Protobuf the code of the client's fault, as unreadable JSON has it, where Connect says internal.
 * For `requestGate` of the router: Connect aborts the context with the error before it writes the error to the client.
 */
export function createRequestGate({ onCall }: ObserveOptions): (context: HandlerContext) => void {
  return ({ signal, values, service, method }) => {
    const startedAt = performance.now();
    const onEnd = (): void => {
      const error: unknown = signal.reason;
      if (!(error instanceof ConnectError)) return;
      if (isUnreadable(error)) Object.assign(error, { code: Code.InvalidArgument });
      if (values.get(requestIdKey) !== "") return;
      onCall({
        requestId: randomUUID(),
        service: service.typeName,
        method: method.name,
        code: codeName(error),
        durationMs: performance.now() - startedAt,
        isStream: method.methodKind !== "unary",
        error,
      });
    };
    signal.addEventListener("abort", onEnd, { once: true });
  };
}

function isUnreadable(error: ConnectError): boolean {
  return error.code === Code.Internal && error.rawMessage.startsWith("parse binary: ");
}
