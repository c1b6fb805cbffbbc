import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { anthropicFrames, googleFrames, openaiFrames } from "./testing-format.ts";

/** A streamed answer. */
export interface TestAnswer {
  pieces: string[];
  toolCalls: { name: string; fragments: string[] }[];
  finish: "stop" | "length" | "tool_calls" | "content_filter";
  /** Undefined: the provider does not say. */
  usage: { input: number; output: number } | undefined;
  model: string;
}

/** What the provider does with one request. An answer's parts have usual values. */
export type Behaviour =
  | ({ kind: "answer"; headers?: Record<string, string> } & Partial<TestAnswer>)
  | { kind: "status"; status: number; headers?: Record<string, string>; body?: string }
  /** Sends its pieces, then nothing more. */
  | ({ kind: "hang" } & Partial<TestAnswer>)
  /** Does not even answer. */
  | { kind: "silent" }
  /** Sends its pieces, then resets the connection. */
  | ({ kind: "cut" } & Partial<TestAnswer>)
  /** Sends its pieces, then ends as if that were all. */
  | ({ kind: "unfinished" } & Partial<TestAnswer>)
  /** Sends its pieces, then what is no JSON. */
  | ({ kind: "garbage" } & Partial<TestAnswer>)
  | { kind: "empty" };

export interface TestRequest {
  protocol: "openai" | "anthropic" | "google";
  path: string;
  headers: IncomingMessage["headers"];
  body: Record<string, unknown>;
  /** How many came before. */
  number: number;
}

export interface TestProvider {
  /** Without a path; the protocols are told apart by theirs. */
  url: string;
  requests: TestRequest[];
  /** How many requests their clients gave up. */
  readonly abandoned: number;
  stop(): Promise<void>;
}

/** A server that speaks the protocols of OpenAI, Anthropic and Google, and behaves as badly as it is told. */
export async function startTestProvider(behave: (request: TestRequest) => Behaviour): Promise<TestProvider> {
  const requests: TestRequest[] = [];
  let abandoned = 0;
  const server = createServer((message, response) => {
    response.on("close", () => {
      if (!response.writableFinished) abandoned += 1;
    });
    const answer = async () => {
      const request = await read(message, requests.length);
      requests.push(request);
      perform(behave(request), request, response);
    };
    answer().catch((error: unknown) => response.destroy(error instanceof Error ? error : new Error(String(error))));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    get abandoned() {
      return abandoned;
    },
    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

async function read(message: IncomingMessage, number: number): Promise<TestRequest> {
  const path = message.url ?? "";
  const body = (await message.setEncoding("utf8").toArray()).join("");
  return {
    protocol: path.includes("/messages") ? "anthropic" : path.includes(":streamGenerateContent") ? "google" : "openai",
    path,
    headers: message.headers,
    body: JSON.parse(body) as Record<string, unknown>,
    number,
  };
}

function perform(behaviour: Behaviour, request: TestRequest, response: ServerResponse): void {
  if (behaviour.kind === "silent") return;
  if (behaviour.kind === "status") {
    response.writeHead(behaviour.status, { "content-type": "application/json", ...behaviour.headers });
    response.end(behaviour.body ?? errorBody(request, behaviour.status));
    return;
  }
  const headers = behaviour.kind === "answer" ? behaviour.headers : {};
  response.writeHead(200, { "content-type": "text/event-stream", ...headers });
  if (behaviour.kind === "empty") {
    response.end();
    return;
  }
  const { pieces, end } = framesOf(request, behaviour);
  response.write(pieces.join(""));
  if (behaviour.kind === "answer") response.end(end.join(""));
  if (behaviour.kind === "unfinished") response.end();
  if (behaviour.kind === "garbage") response.end('data: {"choices":[{"delta":{"cont\n\n');
  // The pieces are on their way first: a reset would overtake them.
  if (behaviour.kind === "cut") setTimeout(() => response.socket?.resetAndDestroy(), 50);
}

function framesOf(request: TestRequest, given: Partial<TestAnswer>) {
  const answer: TestAnswer = {
    pieces: ["Hello ", "from ", "afar."],
    toolCalls: [],
    finish: given.toolCalls === undefined ? "stop" : "tool_calls",
    usage: { input: 12, output: 5 },
    model: "test-model",
    ...given,
  };
  switch (request.protocol) {
    case "openai":
      return openaiFrames(answer);
    case "anthropic":
      return anthropicFrames(answer);
    case "google":
      return googleFrames(answer);
  }
}

function errorBody({ protocol }: TestRequest, status: number): string {
  const message = `no, ${status}`;
  if (protocol === "anthropic") return JSON.stringify({ type: "error", error: { type: "test_error", message } });
  if (protocol === "google") return JSON.stringify({ error: { code: status, message, status: "TEST" } });
  return JSON.stringify({ error: { message, type: "test_error", code: null } });
}
