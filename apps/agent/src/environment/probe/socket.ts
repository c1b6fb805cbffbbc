import { connect, type Socket } from "node:net";
import type { Address } from "./address.ts";
import type { ProbeAnswer } from "./probe.ts";

/** Whether a port takes connections. */
export async function probeTcp(address: Address, signal: AbortSignal): Promise<ProbeAnswer> {
  const socket = await open(address, signal);
  socket.destroy();
  return { isHealthy: true, message: "" };
}

/** Whether a Redis answers PING; one that asks for a password first is up as well. */
export async function probeRedis(address: Address, signal: AbortSignal): Promise<ProbeAnswer> {
  const socket = await open(address, signal);
  try {
    socket.write("*1\r\n$4\r\nPING\r\n");
    const line = await readLine(socket);
    if (line === "+PONG" || line.startsWith("-NOAUTH")) return { isHealthy: true, message: "" };
    return {
      isHealthy: false,
      message: `Expected +PONG as the answer to PING, got ${JSON.stringify(shortened(line))}.`,
    };
  } finally {
    socket.destroy();
  }
}

/** A refusal of Redis may be a page long. */
function shortened(line: string): string {
  return line.length > 120 ? `${line.slice(0, 120)}…` : line;
}

function open({ host, port }: Address, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, signal });
    socket.once("connect", () => resolve(socket));
    // Also after the connection: a reset must end nobody but this probe.
    socket.on("error", reject);
  });
}

const lineChars = 200;

function readLine(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    socket.setEncoding("utf8");
    socket.on("data", (chunk: string) => {
      text += chunk;
      const end = text.indexOf("\r\n");
      if (end >= 0 || text.length > lineChars) resolve(text.slice(0, end >= 0 ? end : lineChars));
    });
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("The connection was closed without an answer to PING.")));
  });
}
