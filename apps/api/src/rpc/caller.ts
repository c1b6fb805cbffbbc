import type { HandlerContext } from "@connectrpc/connect";
import type { Caller } from "../operation/context.ts";

/** On whose behalf a request acts. Until there is authentication, everyone is anonymous and names the namespace. */
export function callerOf(context: HandlerContext): Caller {
  return callerFrom(context.requestHeader);
}

export function callerFrom(headers: Headers): Caller {
  return { namespace: headers.get("drover-namespace") ?? "default", actor: "anonymous" };
}
