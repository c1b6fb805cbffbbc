import type { IncomingMessage, ServerResponse } from "node:http";
import { constants } from "node:http2";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";

export type NodeRequest = IncomingMessage | Http2ServerRequest;
export type NodeResponse = ServerResponse | Http2ServerResponse;

export interface Calls {
  add: (req: NodeRequest, res: NodeResponse) => void;
  /** Requests that are not answered to the end. */
  count: () => number;
  /** From now on HTTP/1.1 connections end with their answer; `onEnd` is called after each. */
  drain: (onEnd: () => void) => void;
  stop: () => void;
}

/** Knows the requests in flight, and cuts off those whose body does not come (HTTP/2; for HTTP/1.1 Node does it). */
export function createCalls(requestTimeoutMs: number): Calls {
  const startedAt = new Map<NodeResponse, number>();
  let onEnd: (() => void) | undefined;
  const sweep = setInterval(() => {
    const limit = performance.now() - requestTimeoutMs;
    for (const [res, start] of startedAt) if (start < limit) cutStalled(res.req);
  }, requestTimeoutMs / 4).unref();
  return {
    add(req, res) {
      startedAt.set(res, performance.now());
      if (onEnd !== undefined) closeAfter(res);
      res.once("close", () => {
        startedAt.delete(res);
        // What nobody has read stands in the way of the next request on an HTTP/1.1 connection.
        if (!req.complete) req.resume();
        onEnd?.();
      });
    },
    count: () => startedAt.size,
    drain(listener) {
      onEnd = listener;
      for (const res of startedAt.keys()) closeAfter(res);
    },
    stop: () => clearInterval(sweep),
  };
}

function cutStalled(req: NodeRequest): void {
  if ("stream" in req && !req.complete) req.stream.close(constants.NGHTTP2_CANCEL);
}

function closeAfter(res: NodeResponse): void {
  if (!("stream" in res) && !res.headersSent) res.setHeader("connection", "close");
}
