import { Code, ConnectError, createConnectRouter, createContextValues } from "@connectrpc/connect";
import type { ConnectRouter, ConnectRouterOptions } from "@connectrpc/connect";
import type { UniversalHandler, UniversalServerResponse } from "@connectrpc/connect/protocol";
import { universalRequestFromNodeRequest, universalResponseToNodeResponse } from "@connectrpc/connect-node";
import { requestText } from "../rpc/unknown-field.ts";
import type { Calls, NodeRequest, NodeResponse } from "./calls.ts";

export type NodeHandler = (req: NodeRequest, res: NodeResponse) => void;

export interface DispatchOptions {
  routes: (router: ConnectRouter) => void;
  rpc: ConnectRouterOptions;
  /** Takes what is no RPC. */
  fallback: NodeHandler;
  calls: Calls;
  /** A fault of the transport that no client can be told of. */
  onFault: (error: unknown) => void;
}

/** Sends each request to its RPC, or to the fallback. Connect's own adapter, less its crash on a bad Host and its console. */
export function createDispatch({ routes, rpc, fallback, calls, onFault }: DispatchOptions): NodeHandler {
  const router = createConnectRouter(rpc);
  routes(router);
  const handlerByPath = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
  return (req, res) => {
    calls.add(req, res);
    const handler = handlerByPath.get(pathOf(req.url));
    if (handler === undefined) {
      if (isGrpc(req)) refuseGrpc(req, res);
      else if (isConnect(req)) refuseConnect(req, res);
      else fallback(req, res);
    } else {
      serve(handler, req, res).catch((error: unknown) => {
        if (!isClientGone(error, res)) onFault(error);
        res.destroy();
      });
    }
  };
}

function pathOf(url = ""): string {
  const query = url.indexOf("?");
  return query === -1 ? url : url.slice(0, query);
}

function isGrpc(req: NodeRequest): boolean {
  return req.headers["content-type"]?.startsWith("application/grpc") === true;
}

// A gRPC client reads only its own status, in headers where there is no message: not a 404, and no page of the app.
function refuseGrpc(req: NodeRequest, res: NodeResponse): void {
  res.statusCode = 200;
  res.setHeader("content-type", req.headers["content-type"] ?? "application/grpc");
  res.setHeader("grpc-status", String(Code.Unimplemented));
  res.setHeader("grpc-message", encodeURIComponent(`This server has no method ${pathOf(req.url)}.`));
  // At once: a client that streams may wait for this before it ends its side.
  res.end();
}

/** JSON that is sent to what can only be a method: no path of the rest of the interface has a dot before a slash. */
function isConnect({ method, url, headers }: NodeRequest): boolean {
  return (
    method === "POST" &&
    headers["content-type"]?.startsWith("application/json") === true &&
    /^\/[\w]+(\.[\w]+)+\/\w+$/.test(pathOf(url))
  );
}

function refuseConnect(req: NodeRequest, res: NodeResponse): void {
  res.statusCode = 404;
  res.setHeader("content-type", "application/json");
  const body = JSON.stringify({ code: "unimplemented", message: `This server has no method ${pathOf(req.url)}.` });
  void discardBody(req).then(() => res.end(body));
}

async function serve(handler: UniversalHandler, req: NodeRequest, res: NodeResponse): Promise<void> {
  let request;
  try {
    // The default body destroys the request, and with it an HTTP/1.1 connection, where a handler reads no further.
    const body: AsyncIterable<Uint8Array> = { [Symbol.asyncIterator]: () => req.iterator({ destroyOnReturn: false }) };
    const values = createContextValues();
    request = { ...universalRequestFromNodeRequest(req, res, undefined, values), body };
    if (isPlainJson(req)) {
      const kept = keepText(body);
      values.set(requestText, kept.text);
      request.body = kept.body;
    }
  } catch {
    await discardBody(req);
    refuse(res, 400, "Expected a Host header (or :authority) that is a host name and port.\n");
    return;
  }
  const answer = await handler(request);
  if (answer.status >= 400 && !req.complete) await discardBody(req);
  if (answer.body === undefined && answer.status >= 400) await refuseByProtocol(handler, answer, req, res);
  else await universalResponseToNodeResponse(answer, res);
}

function isPlainJson({ headers }: NodeRequest): boolean {
  const encoding = headers["content-encoding"] ?? "identity";
  return headers["content-type"]?.startsWith("application/json") === true && encoding === "identity";
}

const keptMaxBytes = 64 * 1024;

/** A body that can be read again once it was read, as far as it is short. */
function keepText(body: AsyncIterable<Uint8Array>): {
  body: AsyncIterable<Uint8Array>;
  text: () => string | undefined;
} {
  let chunks: Uint8Array[] | undefined = [];
  let bytes = 0;
  async function* keep() {
    for await (const chunk of body) {
      bytes += chunk.length;
      if (bytes > keptMaxBytes) chunks = undefined;
      chunks?.push(chunk);
      yield chunk;
    }
  }
  return { body: keep(), text: () => chunks && Buffer.concat(chunks).toString() };
}

// Connect refuses these with a bare status: say what would have been right.
async function refuseByProtocol(
  handler: UniversalHandler,
  answer: UniversalServerResponse,
  req: NodeRequest,
  res: NodeResponse,
): Promise<void> {
  const { method, service, allowedMethods } = handler;
  const name = `${service.typeName}/${method.name}`;
  const got = req.headers["content-type"] ?? "none";
  const form = method.methodKind === "unary" ? "application/json" : "application/connect+json";
  if (answer.status === 415) {
    refuse(
      res,
      415,
      `Expected content type ${form}, application/grpc or another of Connect, gRPC or gRPC-web for ${name}, got ${got}.\n`,
    );
  } else if (answer.status === 405) {
    refuse(res, 405, `Expected method ${allowedMethods.join(" or ")} for ${name}, got ${req.method ?? "none"}.\n`);
  } else await universalResponseToNodeResponse(answer, res);
}

function refuse(res: NodeResponse, status: number, text: string): void {
  res.statusCode = status;
  res.setHeader("content-type", "text/plain");
  res.end(text);
}

const discardMaxBytes = 64 * 1024 * 1024;

// An answer that ends while the client still sends makes Node reset the stream (HTTP/2) or the connection, and some
// clients, curl 7.88 among them, then lose the answer.
function discardBody(req: NodeRequest): Promise<void> {
  return new Promise((resolve) => {
    let discarded = 0;
    req.on("data", (chunk: Uint8Array) => {
      discarded += chunk.length;
      if (discarded > discardMaxBytes) resolve();
    });
    req.once("end", resolve).once("close", resolve).resume();
  });
}

function isClientGone(error: unknown, res: NodeResponse): boolean {
  return (
    res.destroyed || (error instanceof ConnectError && (error.code === Code.Aborted || error.code === Code.Canceled))
  );
}
