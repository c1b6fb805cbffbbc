import type { Log } from "@drover/daemon/log";
import type { NodeReply, NodeRequest, NodeRequestSpec } from "@drover/db/node/replica";
import { DroverError } from "@drover/domain/error";
import { type Answer, createAnswer, type SendReply } from "./answer.ts";

/** How each kind of request is answered; what is returned is the last part, and DroverErrors are told to the caller. */
export type RequestHandlers = {
  [Kind in NodeRequestSpec["kind"]]: (
    spec: Extract<NodeRequestSpec, { kind: Kind }>["spec"],
    answer: Pick<Answer, "send" | "signal">,
  ) => Promise<NodeReply | void>;
};

export interface RequestDeskOptions {
  handlers: RequestHandlers;
  /** Of the node protocol. */
  reply: SendReply;
  log: Log;
  /** More than so many at once are refused. */
  maxRequests?: number;
  aliveMs?: number;
}

export interface RequestDesk {
  /** Takes note of everything that is asked of this node now: begins what is new, stops what is gone. */
  take(requests: readonly NodeRequest[]): void;
  stop(): void;
  readonly running: number;
}

/** What the API asks of this node at once. The database remembers the requests; here is only what is being answered. */
export function createRequestDesk({
  handlers,
  reply,
  log,
  maxRequests = 64,
  aliveMs,
}: RequestDeskOptions): RequestDesk {
  const running = new Map<string, Answer>();
  // A list that was on its way while the last part was stored still names its request.
  const ended = new Set<string>();
  const send = inTurn(reply);

  function begin(request: NodeRequest): void {
    const { id, nextChunk } = request;
    const answer = createAnswer({
      requestId: id,
      firstChunk: nextChunk,
      send,
      log,
      ...(aliveMs !== undefined && { aliveMs }),
    });
    const refusal = refuse(request);
    running.set(id, answer);
    log.debug({ request: id, kind: request.kind, refused: refusal?.message }, "a request begins");
    void (refusal === undefined ? handle(request, answer) : Promise.resolve(errorOf(refusal)))
      .then((last) => answer.end(last))
      .finally(() => {
        running.delete(id);
        ended.add(id);
        if (ended.size > endedLimit) ended.delete(first(ended));
      });
  }

  function refuse({ nextChunk }: NodeRequest): DroverError | undefined {
    // What was said cannot be gone on with: only the former life knew where it stood.
    if (nextChunk > 0) return new DroverError("conflict", "The agent was started anew while it answered. Call again.");
    if (running.size >= maxRequests)
      return new DroverError("overloaded", `The node answers ${maxRequests} requests already. Try again later.`);
    return undefined;
  }

  async function handle(request: NodeRequest, answer: Answer): Promise<NodeReply> {
    try {
      return (await dispatch(handlers, request, answer)) ?? { isAlive: true };
    } catch (error) {
      if (!(error instanceof DroverError)) log.error({ error, request: request.id }, "a request failed");
      return errorOf(error);
    }
  }

  return {
    take(requests) {
      const wanted = new Set(requests.map(({ id }) => id));
      for (const [id, answer] of running) if (!wanted.has(id)) answer.stop();
      for (const request of requests) if (!running.has(request.id) && !ended.has(request.id)) begin(request);
    },
    stop() {
      for (const answer of running.values()) answer.stop();
    },
    get running() {
      return running.size;
    },
  };
}

const endedLimit = 1000;

function dispatch(handlers: RequestHandlers, request: NodeRequest, answer: Answer): Promise<NodeReply | void> {
  switch (request.kind) {
    case "logs":
      return handlers.logs(request.spec, answer);
    case "probe":
      return handlers.probe(request.spec, answer);
    case "pull":
      return handlers.pull(request.spec, answer);
    case "usage":
      return handlers.usage(request.spec, answer);
  }
}

function errorOf(error: unknown): NodeReply {
  if (error instanceof DroverError) return { error: error.message, reason: error.reason };
  return { error: "The agent failed on this request; its log has the cause.", reason: "internal" };
}

/** One part at a time: the renewal of the lease shares the connection, and never waits behind more than one. */
function inTurn(send: SendReply): SendReply {
  let last: Promise<unknown> = Promise.resolve();
  return (part) => {
    const sent = last.then(() => send(part));
    last = sent.catch(() => undefined);
    return sent;
  };
}

function first(ids: ReadonlySet<string>): string {
  for (const id of ids) return id;
  return "";
}
