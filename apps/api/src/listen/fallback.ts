import { getRequestListener, RequestError } from "@hono/node-server";
import type { Http2Bindings, HttpBindings } from "@hono/node-server";
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { NodeHandler } from "./dispatch.ts";

export type Fetch = (request: Request, env: HttpBindings | Http2Bindings) => Response | Promise<Response>;

/** Serves a fetch handler (a Hono app's) on Node, with a limit on what it has to read. */
export function createFallback(fetch: Fetch, maxBodyBytes: number, onFault: (error: unknown) => void): NodeHandler {
  const limited = new Hono<{ Bindings: HttpBindings | Http2Bindings }>();
  const tooLarge = `Expected a body of at most ${maxBodyBytes} bytes, got more.\n`;
  limited.use(
    bodyLimit({
      maxSize: maxBodyBytes,
      // The rest of the body is not read, so an HTTP/1.1 connection cannot go on; HTTP/2 has no such header.
      onError: (c) => c.text(tooLarge, 413, c.env.incoming.httpVersionMajor === 1 ? { connection: "close" } : {}),
    }),
  );
  limited.all("*", (c) => fetch(c.req.raw, c.env));
  const errorHandler = (error: unknown): Response => {
    if (error instanceof RequestError)
      return new Response(`Expected a proper request: ${error.message}.\n`, { status: 400 });
    onFault(error);
    return new Response("The server failed on this request; its log has the cause.\n", { status: 500 });
  };
  limited.onError(errorHandler);
  const listener = getRequestListener(limited.fetch, { overrideGlobalObjects: false, errorHandler });
  return (req, res) => void listener(req, res);
}
