import type { Run } from "@drover/proto/drover/run";
import type { Client } from "./client.ts";
import { streamLog } from "./log-stream.ts";
import { stepStateWord } from "./word.ts";

/** The last line that each running call of a model has answered so far. */
export interface Tails {
  /** Begins with the steps that run now, and ends with those that do not any more. */
  follow(run: Run): void;
  lastOf(stepId: string): string;
  stop(): void;
}

/** Each is a stream of its own: beyond a few nobody could read along anyway. */
const mostStreams = 4;
const keptCharacters = 400;
const shownCharacters = 60;

interface Tail {
  taskId: string;
  text: string;
  ended: AbortController;
}

/** Reads along with models while a person watches; a log that cannot be read is no reason to say so. */
export function createTails({ client, signal }: { client: Client; signal: AbortSignal }): Tails {
  const tails = new Map<string, Tail>();
  const end = (stepId: string) => {
    tails.get(stepId)?.ended.abort();
    tails.delete(stepId);
  };
  const begin = (stepId: string, taskId: string) => {
    const tail: Tail = { taskId, text: "", ended: new AbortController() };
    tails.set(stepId, tail);
    const request = { client, id: taskId, follow: true, tail: 0, since: undefined };
    const onLine = ({ stream, text }: { stream: string; text: string }) => {
      if (stream === "token") tail.text = (tail.text + text).slice(-keptCharacters);
    };
    streamLog({ ...request, signal: AbortSignal.any([signal, tail.ended.signal]), onLine }).catch(() => {});
  };
  return {
    follow({ steps }) {
      const talking = steps.filter(
        ({ kind, state, taskId, itemsTotal }) =>
          kind === "llm" && stepStateWord(state) === "running" && taskId !== "" && itemsTotal === 0,
      );
      const wanted = new Map(talking.slice(0, mostStreams).map(({ id, taskId }) => [id, taskId]));
      for (const [stepId, { taskId }] of tails) if (wanted.get(stepId) !== taskId) end(stepId);
      for (const [stepId, taskId] of wanted) if (!tails.has(stepId)) begin(stepId, taskId);
    },
    lastOf(stepId) {
      const lines = (tails.get(stepId)?.text ?? "").split("\n").map((line) => line.trim());
      const last = lines.findLast((line) => line !== "") ?? "";
      // The end of it is what is new.
      return last.length > shownCharacters ? `…${last.slice(-shownCharacters)}` : last;
    },
    stop() {
      for (const stepId of tails.keys().toArray()) end(stepId);
    },
  };
}
