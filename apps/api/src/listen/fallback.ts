import { getRequestListener, RequestError } from "@hono/node-server";
import type { Http2Bindings, HttpBindings } from "@hono/node-server";
import { Hono } from "hono";
import type { NodeHandler } from "./dispatch.ts";

export type Fetch = (request: Request, env: HttpBindings | Http2Bindings) => Response | Promise<Response>;

/** Serves a fetch handler (a Hono app's) on Node, with a limit on what it has to read. */
export function createFallback(fetch: Fetch, maxBodyBytes: number, onFault: (error: unknown) => void): NodeHandler {
  const limited = new Hono<{ Bindings: HttpBindings | Http2Bindings }>();
  const tooLarge = `Expected a body of at most ${maxBodyBytes} bytes, got more.\n`;
  limited.all("*", async (c) => {
    const { raw } = c.req;
    // The rest of the body is not read, so an HTTP/1.1 connection cannot go on; HTTP/2 has no such header.
    const refuse = () => c.text(tooLarge, 413, c.env.incoming.httpVersionMajor === 1 ? { connection: "close" } : {});
    const length = raw.headers.get("content-length");
    if (length !== null) return Number(length) > maxBodyBytes ? refuse() : fetch(raw, c.env);
    if (raw.body === null) return fetch(raw, c.env);
    // Hono's own limit makes a second request of the first, which the listener's lightweight ones do not allow.
    const body = await readBody(raw.body, maxBodyBytes);
    if (body === undefined) return refuse();
    if (body.length === 0) return fetch(raw, c.env);
    return fetch(new Request(raw.url, { method: raw.method, headers: raw.headers, body }), c.env);
  });
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

/** The whole body; undefined where it is longer than it may be. */
async function readBody(
  stream: ReadableStream<Uint8Array>,
  maxBytes: number,
): Promise<Buffer<ArrayBuffer> | undefined> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    bytes += chunk.length;
    if (bytes > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
