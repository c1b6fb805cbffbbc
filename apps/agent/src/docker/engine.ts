import type { Readable } from "node:stream";
import type Docker from "dockerode";
import type { Answer } from "./answer.ts";
import { ask, faultOf } from "./answer.ts";
import type { Look } from "./look.ts";
import { readLook } from "./look.ts";
import { runInside } from "./run-inside.ts";
import { awaitEnd } from "./wait.ts";

/** The calls that Drover makes to a container engine: bounded in time, faults as values. */
export interface Engine {
  version(): Promise<Answer<{ version: string; apiVersion: string }>>;
  create(name: string, spec: Docker.ContainerCreateOptions): Promise<Answer<{ id: string }>>;
  /** Also ok where the container runs already. */
  start(id: string): Promise<Answer<void>>;
  look(nameOrId: string): Promise<Look>;
  kill(id: string, signal: "SIGTERM" | "SIGKILL"): Promise<Answer<void>>;
  /** Also ok where nothing was left to remove. */
  remove(id: string): Promise<Answer<void>>;
  /** All containers, stopped ones too, that carry every one of the labels (`name` or `name=value`). */
  list(labels: string[]): Promise<Answer<Docker.ContainerInfo[]>>;
  /** Returns when the container may have ended, when the call broke, or at the signal: look afterwards. */
  awaitEnd(id: string, signal: AbortSignal): Promise<void>;
  followLogs(id: string, since: string | undefined, signal: AbortSignal): Promise<Answer<Readable>>;
  runInside(nameOrId: string, command: readonly string[]): Promise<Answer<{ exitCode: number; output: string }>>;
  pull(image: string, signal: AbortSignal): Promise<Answer<Readable>>;
}

/** Wraps a client in the calls that Drover makes; `callTimeoutMs` bounds each that is not a stream. */
export function createEngine({ docker, callTimeoutMs = 30_000 }: { docker: Docker; callTimeoutMs?: number }): Engine {
  const call = <T>(make: (signal: AbortSignal) => Promise<T>): Promise<Answer<T>> => ask(callTimeoutMs, make);
  return {
    version: () =>
      call(async (abortSignal) => {
        // The typings leave out that this call, too, can be broken off.
        const { version: read } = docker as unknown as { version(options: object): Promise<Docker.DockerVersion> };
        const { Version: version, ApiVersion: apiVersion } = await read.call(docker, { abortSignal });
        return { version, apiVersion };
      }),
    create: (name, spec) =>
      call(async (abortSignal) => {
        // Without the split the client repeats the whole specification in the address, which has a limit.
        const options = { _query: { name }, _body: spec, abortSignal };
        const { id } = await docker.createContainer(options);
        return { id };
      }),
    start: (id) => call(async (abortSignal) => void (await unlessSo(docker.getContainer(id).start({ abortSignal })))),
    look: async (id) => readLook(await call((abortSignal) => docker.getContainer(id).inspect({ abortSignal }))),
    kill: (id, signal) =>
      call(async (abortSignal) => void (await docker.getContainer(id).kill({ signal, abortSignal }))),
    remove: async (id) => {
      const options = { force: true, v: true };
      const answer = await call(async (abortSignal) => {
        await docker.getContainer(id).remove({ ...options, abortSignal });
      });
      return !answer.ok && answer.fault === "missing" ? { ok: true, value: undefined } : answer;
    },
    list: (label) => call((abortSignal) => docker.listContainers({ all: true, filters: { label }, abortSignal })),
    awaitEnd: (id, signal) => awaitEnd(docker, id, signal),
    followLogs: (id, since, abortSignal) =>
      openStream(callTimeoutMs, abortSignal, (signal) =>
        docker.getContainer(id).logs({
          follow: true,
          stdout: true,
          stderr: true,
          timestamps: true,
          ...(since === undefined ? {} : { since }),
          abortSignal: signal,
        }),
      ),
    runInside: (nameOrId, command) => runInside(docker, nameOrId, command, callTimeoutMs),
    pull: (fromImage, abortSignal) =>
      openStream(callTimeoutMs, abortSignal, (signal) => docker.createImage({ fromImage, abortSignal: signal })),
  };
}

async function unlessSo(started: Promise<unknown>): Promise<void> {
  try {
    await started;
  } catch (error) {
    if (!(error instanceof Error && "statusCode" in error && error.statusCode === 304)) throw error;
  }
}

/** The opening is bounded, the stream is not: it lives until its end or the caller's signal. */
export async function openStream(
  timeoutMs: number,
  signal: AbortSignal,
  open: (signal: AbortSignal) => Promise<NodeJS.ReadableStream>,
): Promise<Answer<Readable>> {
  const opening = new AbortController();
  const timer = setTimeout(
    () => opening.abort(new Error(`The engine did not answer within ${timeoutMs} ms.`)),
    timeoutMs,
  );
  try {
    return { ok: true, value: (await open(AbortSignal.any([signal, opening.signal]))) as Readable };
  } catch (error) {
    return faultOf(error);
  } finally {
    clearTimeout(timer);
  }
}
