import { setTimeout as delay } from "node:timers/promises";
import { StringDecoder } from "node:string_decoder";
import type { ServiceEngine } from "./service-engine.ts";

export interface ContainerEvent {
  containerId: string;
  /** In the engine's words: start, die, destroy, ... */
  kind: string;
  /** Of the container, with what else the engine says of it. */
  labels: Record<string, string>;
}

export interface EventsOptions {
  engine: ServiceEngine;
  labels: string[];
  onEvent: (event: ContainerEvent) => void;
  /** The stream is there (again): what happened before is not told. */
  onOpen: () => void;
  /** The stream broke: the engine may be away. */
  onBreak: () => void;
  signal: AbortSignal;
}

/** Executions of health checks are not among them: they would drown the rest. */
const kinds = ["create", "start", "die", "oom", "destroy", "pause", "unpause", "rename", "update"];

const againMs = { first: 100, longest: 5000 };

/** Follows what happens to containers, over every break of the stream, until the signal. */
export async function followEvents({ engine, labels, onEvent, onOpen, onBreak, signal }: EventsOptions): Promise<void> {
  let waitMs = againMs.first;
  while (!signal.aborted) {
    const answer = await engine.events(labels, kinds, signal);
    if (answer.ok) {
      waitMs = againMs.first;
      onOpen();
      const decoder = new StringDecoder("utf8");
      let rest = "";
      try {
        for await (const chunk of answer.value) {
          const lines = (rest + decoder.write(chunk as Buffer)).split("\n");
          rest = lines.pop() ?? "";
          for (const line of lines) {
            const event = readEvent(line);
            if (event !== undefined) onEvent(event);
          }
        }
      } catch {
        // A broken stream is one that has ended.
      }
    }
    if (signal.aborted) return;
    onBreak();
    await delay(waitMs, undefined, { signal }).catch(() => undefined);
    waitMs = Math.min(waitMs * 2, againMs.longest);
  }
}

function readEvent(line: string): ContainerEvent | undefined {
  try {
    const event = JSON.parse(line) as {
      Action?: unknown;
      Actor?: { ID?: unknown; Attributes?: Record<string, string> };
    };
    const { Action: kind, Actor: { ID: containerId, Attributes: labels = {} } = {} } = event;
    return typeof kind === "string" && typeof containerId === "string" ? { containerId, kind, labels } : undefined;
  } catch {
    return undefined; // A blank line, or the end of a broken stream.
  }
}
