import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
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
  const env = { PATH: process.env["PATH"], DROVER_ADDRESS: address };
  const child = spawn(command, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const said = { out: "", err: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (said.out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said.err += text));
  const ended = once(child, "close").then(([code]) => ({ ...said, code: code as number | null }));
  return { child, said, ended };
}

function drover(address: string, ...args: string[]) {
  return start(process.execPath, [main, ...args], address);
}

function routes(): RequestListener {
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
    const other = await serve((_, response) => void response.writeHead(404).end("<html>"));
    const checks = JSON.stringify({ checks: [{ ok: false, message: "The database does not answer." }] });
    const unready = await serve((_, response) => void response.writeHead(503).end(checks));
    const [nobody, ...others] = await Promise.all([
      drover("http://127.0.0.1:1", "task", "list").ended,
      drover(other, "task", "list").ended,
      drover(other, "status").ended,
      drover(unready, "status").ended,
    ]);
    expect(nobody).toEqual({
      code: 4,
      out: "",
      err: "Error: Expected a Drover API at http://127.0.0.1:1, got no answer: nothing listens there.\nTry: drover up, or name another address with --address or DROVER_ADDRESS\n",
    });
    const foreign = { code: 4, err: expect.stringContaining("got an answer that is none (HTTP 404)") };
    expect(others).toMatchObject([
      foreign,
      foreign,
      { code: 4, err: expect.stringContaining("is not ready: The database does not answer.") },
    ]);
  });

  it("ends with 130 at Ctrl-C", async () => {
    const { child, said, ended } = drover(await serve(routes()), "task", "watch", "t1");
    await expect.poll(() => said.out, { timeout: 10_000 }).toContain("running");
    child.kill("SIGINT");
    expect(await ended).toMatchObject({ code: 130, err: "Interrupted.\n" });
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
