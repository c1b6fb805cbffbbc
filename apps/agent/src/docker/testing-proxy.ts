import { createServer, request as httpRequest } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What a proxy does with a call: pass it on, do it but lose the reply, or never answer. */
export type Treatment = "pass" | "lose-reply" | "hang";

export interface EngineProxy extends AsyncDisposable {
  host: string;
  calls: string[];
}

/** Stands before a real engine and treats its calls as told, so that lost replies can be forced. */
export async function startEngineProxy(socketPath: string, treat: (call: string) => Treatment): Promise<EngineProxy> {
  const folder = await mkdtemp(join(tmpdir(), "drover-proxy-"));
  const path = join(folder, "engine.sock");
  const calls: string[] = [];
  const server = createServer((incoming, outgoing) => {
    const call = `${incoming.method} ${incoming.url}`;
    calls.push(call);
    const treatment = treat(call);
    if (treatment !== "hang") passOn(socketPath, incoming, outgoing, treatment);
  });
  server.listen(path);
  await once(server, "listening");
  return { host: `unix://${path}`, calls, [Symbol.asyncDispose]: () => stop(server, folder) };
}

function passOn(socketPath: string, incoming: IncomingMessage, outgoing: ServerResponse, treatment: Treatment): void {
  const { method, url: path, headers } = incoming;
  const upstream = httpRequest({ socketPath, method, path, headers }, (reply) => {
    if (treatment === "lose-reply") {
      reply.resume();
      reply.on("end", () => outgoing.destroy());
      return;
    }
    outgoing.writeHead(reply.statusCode ?? 502, reply.headers);
    outgoing.flushHeaders();
    reply.pipe(outgoing);
    reply.on("error", () => outgoing.destroy());
  });
  upstream.on("error", () => outgoing.destroy());
  outgoing.on("close", () => upstream.destroy());
  incoming.pipe(upstream);
}

async function stop(server: Server, folder: string): Promise<void> {
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true, force: true });
}
