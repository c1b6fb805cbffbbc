import { connect } from "node:http2";
import type { Address } from "./address.ts";
import type { ProbeAnswer } from "./probe.ts";

const statuses = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];

/** Asks grpc.health.v1.Health/Check over h2c whether a service (empty: the whole server) is SERVING. */
export function probeGrpc({ host, port }: Address, service: string, signal: AbortSignal): Promise<ProbeAnswer> {
  return new Promise<ProbeAnswer>((resolve, reject) => {
    const session = connect(`http://${host.includes(":") ? `[${host}]` : host}:${port}`);
    const fail = (error: unknown) => {
      session.destroy();
      reject(error instanceof Error ? error : new Error(String(error)));
    };
    signal.addEventListener("abort", () => fail(signal.reason), { once: true });
    session.on("error", fail);
    const stream = session.request({
      ":method": "POST",
      ":path": "/grpc.health.v1.Health/Check",
      "content-type": "application/grpc",
      te: "trailers",
    });
    const chunks: Buffer[] = [];
    let code: string | undefined;
    let text = "";
    const readHead = (headers: Record<string, unknown>) => {
      code = readText(headers["grpc-status"]) ?? code;
      text = readText(headers["grpc-message"]) ?? text;
    };
    stream.on("response", readHead);
    stream.on("trailers", readHead);
    stream.on("data", (chunk: Buffer) => void chunks.push(chunk));
    stream.on("error", fail);
    stream.on("close", () => {
      session.destroy();
      resolve(judge(code, text, Buffer.concat(chunks)));
    });
    stream.end(encodeRequest(service));
  });
}

function judge(code: string | undefined, text: string, body: Buffer): ProbeAnswer {
  if (code === undefined) return { isHealthy: false, message: "Expected a gRPC answer, got one without grpc-status." };
  if (code !== "0") {
    const hint = code === "12" ? " It does not implement grpc.health.v1.Health." : "";
    return {
      isHealthy: false,
      message: `Expected grpc-status 0, got ${code} ${decodeURIComponentSafely(text)}`.trim() + hint,
    };
  }
  const status = statuses[readStatus(body)] ?? "UNKNOWN";
  return { isHealthy: status === "SERVING", message: status === "SERVING" ? "" : `Expected SERVING, got ${status}.` };
}

/** One frame (flag, length), in it field 1, a text; left out where it is empty. */
function encodeRequest(service: string): Buffer {
  const name = Buffer.from(service, "utf8");
  const message = name.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x0a]), varint(name.length), name]);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let left = value;
  for (; left > 0x7f; left >>>= 7) bytes.push((left & 0x7f) | 0x80);
  return Buffer.from([...bytes, left]);
}

/** Field 1, a number below 128; 0 where it is left out. */
function readStatus(body: Buffer): number {
  return body.length >= 7 && body[5] === 0x08 ? (body[6] ?? 0) : 0;
}

function readText(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function decodeURIComponentSafely(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
