import { createServer, type Server } from "node:http";
import type { Address } from "@drover/daemon/address";
import { formatAddress } from "@drover/daemon/address";
import type { Service } from "@drover/daemon/service";
import { DroverError } from "@drover/domain/error";

export interface StatusPageOptions {
  addresses: readonly Address[];
  /** What /metrics answers. */
  metrics: { expose(): Promise<string>; contentType: string };
  /** What /health answers; 503 where it is not ok. */
  health: () => { ok: boolean; body: Record<string, unknown> };
}

/** /metrics and /health of an agent. */
export function createStatusPage({ addresses, metrics, health }: StatusPageOptions): Service {
  const servers: Server[] = [];
  return {
    name: "status page",
    async start() {
      for (const address of addresses) {
        const server = createServer((request, response) => {
          const answer = (status: number, type: string, body: string) =>
            response.writeHead(status, { "content-type": type }).end(body);
          if (request.method !== "GET" && request.method !== "HEAD")
            return void answer(405, "text/plain", "Expected GET.\n");
          switch (request.url?.split("?", 1)[0]) {
            case "/health": {
              const { ok, body } = health();
              return void answer(ok ? 200 : 503, "application/json", `${JSON.stringify(body)}\n`);
            }
            case "/metrics":
              return void metrics.expose().then(
                (text) => answer(200, metrics.contentType, text),
                () => answer(500, "text/plain", "The metrics could not be read.\n"),
              );
            default:
              return void answer(404, "text/plain", "Expected /health or /metrics.\n");
          }
        });
        servers.push(server);
        await new Promise<void>((resolve, reject) => {
          server.once("error", (cause) =>
            reject(
              new DroverError("conflict", `The agent cannot serve on ${formatAddress(address)}: ${cause.message}.`, {
                hint: "Set DROVER_AGENT_LISTEN to a free address.",
                cause,
              }),
            ),
          );
          server.listen(address.port, address.host, resolve);
        });
      }
    },
    async stop() {
      for (const server of servers) {
        server.close();
        server.closeAllConnections();
      }
    },
  };
}
