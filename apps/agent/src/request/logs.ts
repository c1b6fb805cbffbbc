import { setTimeout as delay } from "node:timers/promises";
import type { NodeReply, NodeRequestSpec, ServiceLogLine } from "@drover/db/node/replica";
import { DroverError } from "@drover/domain/error";
import type { Engine } from "../docker/engine.ts";
import { createLogLineReader, type LogLineReader } from "../docker/log-line.ts";
import type { LogReading } from "../docker/log-read.ts";
import type { ContainerReader } from "../docker/reader.ts";
import type { Answer } from "./answer.ts";
import { listContainers, type ReplicaContainer } from "./container.ts";
import { createGatherer, type Gatherer } from "./gather.ts";

export type LogSpec = Extract<NodeRequestSpec, { kind: "logs" }>["spec"];

export interface LogSource {
  engine: Engine;
  reader: ContainerReader;
}

/**
 * Sends the lines of a replica's newest container, and on: through restarts of the container, and from one container of
 * the replica to the next. An older container is read to its end before a newer one is begun.
 */
export async function sendLogs(
  source: LogSource,
  spec: LogSpec,
  answer: Pick<Answer, "send" | "signal">,
): Promise<void> {
  const { signal } = answer;
  let [container] = await listContainers(source.engine, spec.replicaId);
  if (container === undefined) throw missing();
  let lines = createLogLineReader();
  let first: Omit<LogReading, "follow"> = firstReading(spec);
  // Read by a reading that began after its end: engines may miss the last records of one that began before.
  let isComplete = false;
  while (!signal.aborted) {
    if (!isComplete) {
      const { since } = lines;
      const reading = { ...(since === undefined ? first : { since }), follow: spec.follow && container.isRunning };
      const outcome = await readOnce(source, container.id, reading, lines, answer);
      isComplete = outcome === "missing" || (outcome === "whole" && !container.isRunning);
      if (isComplete || !spec.follow) await sendLines(answer, container.id, lines.end());
      if (!spec.follow) {
        if (outcome === "whole" || signal.aborted) return;
        if (outcome === "missing") throw missing();
        throw new DroverError("unavailable", "Expected the whole log, but the container engine broke off.");
      }
    }
    await delay(isComplete ? restMs.ended : restMs.broken, undefined, { signal }).catch(() => undefined);
    const next = nextContainer(container, isComplete, await listAgain(source.engine, spec.replicaId));
    if (next.id !== container.id) {
      await sendLines(answer, container.id, lines.end());
      lines = createLogLineReader();
      first = {};
    }
    if (next.id !== container.id || next.isRunning) isComplete = false;
    container = next;
  }
}

const restMs = { ended: 500, broken: 250 };

function firstReading({ tail, sinceSeconds }: LogSpec): Omit<LogReading, "follow"> {
  return { ...(tail > 0 && { tail }), ...(sinceSeconds > 0 && { since: String(sinceSeconds) }) };
}

/** Undefined: nothing is known, which is no reason to end. */
async function listAgain(engine: Engine, replicaId: string): Promise<ReplicaContainer[] | undefined> {
  return listContainers(engine, replicaId).catch(() => undefined);
}

function nextContainer(
  current: ReplicaContainer,
  isComplete: boolean,
  all: ReplicaContainer[] | undefined,
): ReplicaContainer {
  if (all === undefined) return current;
  const same = all.find(({ id }) => id === current.id);
  return (isComplete ? undefined : same) ?? all[0] ?? { ...current, isRunning: false };
}

async function readOnce(
  { reader }: LogSource,
  id: string,
  reading: LogReading,
  lines: LogLineReader,
  answer: Pick<Answer, "send" | "signal">,
): Promise<"whole" | "broken" | "missing"> {
  const opened = await reader.openLog(id, reading, answer.signal);
  if (!opened.ok) return opened.fault === "missing" ? "missing" : "broken";
  lines.begin();
  const gatherer = createGatherer<ServiceLogLine>({ send: (read) => answer.send({ containerId: id, lines: read }) });
  try {
    for await (const chunk of opened.value) await gatherAll(gatherer, lines.read(chunk));
    return "whole";
  } catch {
    return "broken"; // The next reading starts where this one ended.
  } finally {
    await gatherer.flush();
  }
}

async function gatherAll(gatherer: Gatherer<ServiceLogLine>, lines: ReturnType<LogLineReader["read"]>): Promise<void> {
  for (const { stream, stamp, message } of lines) {
    const full = gatherer.add([stream, stamp, message], message.length + lineOverheadBytes);
    if (full !== undefined) await full;
  }
}

const lineOverheadBytes = 48;

function sendLines(
  answer: Pick<Answer, "send">,
  containerId: string,
  lines: ReturnType<LogLineReader["end"]>,
): Promise<void> | undefined {
  if (lines.length === 0) return undefined;
  const body: NodeReply = {
    containerId,
    lines: lines.map(({ stream, stamp, message }): ServiceLogLine => [stream, stamp, message]),
  };
  return answer.send(body);
}

function missing(): DroverError {
  return new DroverError("not_found", "There is no container of it on its node.");
}
