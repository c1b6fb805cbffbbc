import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { create } from "@bufbuild/protobuf";
import type { ConnectRouter } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { ClassService } from "@drover/proto/drover/class";
import { NodeService } from "@drover/proto/drover/node";
import { TaskSchema, TaskService, TaskState } from "@drover/proto/drover/task";
import { describe, expect, it, onTestFinished } from "vitest";

const main = join(import.meta.dirname, "main.ts");

async function serve(handler: RequestListener): Promise<string> {
  const server = createServer(handler).listen(0, "127.0.0.1");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function start(command: string, args: string[], address: string) {
  const child = spawn(command, args, {
    env: { PATH: process.env["PATH"], DROVER_ADDRESS: address },
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const ended = Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
  return { child, ended: ended.then(([out, err, [code]]) => ({ out, err, code: code as number | null })) };
}

function drover(address: string, ...args: string[]) {
  return start(process.execPath, [main, ...args], address);
}

function routes(onWatch: () => void = () => {}): RequestListener {
  const tasks = Array.from({ length: 5000 }, (_, index) =>
    create(TaskSchema, { id: `task-${index}`, state: TaskState.PENDING }),
  );
  return connectNodeAdapter({
    routes: (router: ConnectRouter) =>
      void router
        .service(TaskService, {
          listTasks: () => ({ tasks }),
          async *watchTasks(_, { signal }) {
            yield { task: create(TaskSchema, { id: "t1", state: TaskState.RUNNING }) };
            onWatch();
            await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
          },
        })
        .service(ClassService, { listClasses: () => ({ classes: [{ name: "gpu" }] }) })
        .service(NodeService, { listNodes: () => ({ nodes: [] }) }),
    fallback: (request, response) => {
      response.statusCode = request.url === "/health/ready" ? 200 : 404;
      response.end("{}");
    },
  });
}

describe("the program", () => {
  it("tells what it finds at an address", async () => {
    const address = await serve(routes());
    const { code, out, err } = await drover(address, "status").ended;
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toContain(`API ${address} is ready.`);
    expect(out).toContain("No node has joined");
    expect(out).toMatch(/^gpu +open/m);
  });

  it("exits with 4 where nobody is, where somebody else is, and where the API is not ready", async () => {
    const nobody = await drover("http://127.0.0.1:1", "task", "list").ended;
    expect(nobody).toEqual({
      code: 4,
      out: "",
      err: "Error: Expected a Drover API at http://127.0.0.1:1, got no answer: nothing listens there.\nTry: drover up, or name another address with --address or DROVER_ADDRESS\n",
    });
    const other = await serve((_, response) => void response.writeHead(404).end("<html>"));
    for (const command of [["task", "list"], ["status"]]) {
      const { code, err } = await drover(other, ...command).ended;
      expect({ code, err }).toEqual({ code: 4, err: expect.stringContaining("got an answer that is none (HTTP 404)") });
    }
    const checks = JSON.stringify({ checks: [{ ok: false, message: "The database does not answer." }] });
    const unready = await serve((_, response) => void response.writeHead(503).end(checks));
    expect(await drover(unready, "status").ended).toMatchObject({
      code: 4,
      err: expect.stringContaining("is not ready: The database does not answer."),
    });
  });

  it("ends with 130 at Ctrl-C", async () => {
    const { promise: isWatching, resolve } = Promise.withResolvers<void>();
    const { child, ended } = drover(await serve(routes(resolve)), "task", "watch", "t1");
    await isWatching;
    child.kill("SIGINT");
    expect(await ended).toMatchObject({ code: 130, err: "Interrupted.\n", out: expect.stringContaining("running") });
  });

  it("ends quietly when its reader has had enough", async () => {
    const script = `"${process.execPath}" "${main}" task list --all | head -n 2; echo "exit \${PIPESTATUS[0]}"`;
    const { out, err } = await start("bash", ["-c", script], await serve(routes())).ended;
    expect(out.trimEnd().split("\n")).toEqual([
      expect.stringMatching(/^ID +STATE/),
      expect.stringMatching(/^task-0 +pending/),
      "exit 0",
    ]);
    expect(err).toBe("");
  });
});
