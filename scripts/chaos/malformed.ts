import { request } from "node:http";
import fc from "fast-check";
import { ClassService } from "@drover/proto/drover/class";
import { NodeService } from "@drover/proto/drover/node";
import { TaskService } from "@drover/proto/drover/task";
import { WorkerService } from "@drover/proto/drover/worker";
import { OrchestratorService } from "@drover/proto/orchestrator/orchestrator";
import { expect } from "vitest";

const services = [TaskService, ClassService, NodeService, WorkerService, OrchestratorService];
/** Every unary method of the contract. */
export const methods = services.flatMap((service) =>
  service.methods
    .filter((method) => method.methodKind === "unary")
    .map((method) => ({ path: `/${service.typeName}/${method.name}`, method })),
);
/** Paths of the interfaces that are no RPC. */
export const rest = [
  "/health",
  "/metrics",
  "/queue/submit",
  "/queue/status",
  "/api/env-queue/submit",
  "/api/env-queue/stats",
  "/tasks",
  "/tasks/x",
  "/workflows",
  "/nowhere",
];

/** What came back; status 0 where the server closed the connection without a word. */
export interface Answer {
  status: number;
  text: string;
}

/** One request; its body is sent as it is. */
export function send(
  url: string,
  path: string,
  options: { method?: string; headers?: Record<string, string>; body?: Uint8Array | string },
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = request(
      `${url}${path}`,
      { method: options.method ?? "POST", headers: options.headers ?? {}, timeout: 10_000 },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }));
        response.on("error", () =>
          resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }),
        );
      },
    );
    call.on("timeout", () => call.destroy(new Error(`no answer to ${path} within 10 s`)));
    call.on("error", (error: NodeJS.ErrnoException) =>
      error.code === undefined ? reject(error) : resolve({ status: 0, text: "" }),
    );
    call.end(options.body);
  });
}

/** Fails where a client sees what none may ever see: a fault of ours, a stack, or SQL. */
export function expectDecent({ status, text }: Answer, what: string) {
  expect([500, 502, 504].includes(status) ? `${status} ${text}` : "", what).toBe("");
  expect(text, what).not.toMatch(/\n\s+at .+:\d+:\d+|node:internal|node_modules|\.ts:\d+/);
  expect(text, what).not.toMatch(
    /\bselect .+ from\b|\binsert into\b|drover\.[a-z]+_[a-z]+|syntax error at|violates .* constraint|PostgresError|SQLSTATE/i,
  );
}

const nasty = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.constantFrom(
    "\0",
    "a\0b",
    "known",
    "'; drop table drover.task; --",
    "\ud800",
    "9223372036854775808",
    "-1",
    "1e400",
    "NaN",
    "../..",
    "%00",
    "1.9999999999999999999",
    "2147483648.9223372036854775807",
  ),
  fc.integer(),
  fc.double(),
  fc.constantFrom(2 ** 31, 2 ** 53, -(2 ** 63), 1e308),
  fc.boolean(),
  fc.constant(null),
);

/** Messages in JSON that name the method's own fields, with values that are mostly wrong and sometimes nearly right. */
export function messageJson(
  fields: readonly { jsonName: string; message?: { fields: readonly unknown[] } | undefined; fieldKind: string }[],
  depth = 0,
): fc.Arbitrary<unknown> {
  return fc.record(
    Object.fromEntries(
      fields.map((field) => {
        const nested =
          field.message !== undefined && depth < 3
            ? messageJson(field.message.fields as typeof fields, depth + 1)
            : nasty;
        const one = fc.oneof({ weight: 3, arbitrary: nested }, { weight: 1, arbitrary: nasty });
        const value =
          field.fieldKind === "list"
            ? fc.array(one, { maxLength: 3 })
            : field.fieldKind === "map"
              ? fc.dictionary(fc.string({ maxLength: 5 }), nasty, { maxKeys: 3 })
              : one;
        return [field.jsonName, fc.oneof({ weight: 5, arbitrary: value }, { weight: 1, arbitrary: nasty })];
      }),
    ),
    { requiredKeys: [] },
  );
}
