import { createServer as createHttpServer } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { TaskService } from "../../proto/gen/drover/v1/task_pb.ts";

/** A bare connect-node server that answers SubmitTask at once: what the RPC layer costs before any work is done. */
export async function runRpcFloor([protocol]: string[]): Promise<void> {
  const handler = connectNodeAdapter({
    routes: ({ service }) => service(TaskService, { submitTask: () => ({ id: "019a5d0c4e1b7000", created: true }) }),
  });
  const server = protocol === "grpc" ? createHttp2Server(handler) : createHttpServer(handler);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  process.on("disconnect", () => process.exit(0));
  process.send?.({ port: (server.address() as AddressInfo).port });
}
