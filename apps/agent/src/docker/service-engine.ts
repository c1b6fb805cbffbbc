import type { Readable } from "node:stream";
import type Docker from "dockerode";
import { type Answer, ask } from "./answer.ts";
import { createEngine, type Engine, openStream } from "./engine.ts";
import { runInside } from "./run-inside.ts";

export type Inspection = Docker.ContainerInspectInfo;
export type CreateOptions = Docker.ContainerCreateOptions;

export interface NetworkFacts {
  id: string;
  name: string;
  labels: Record<string, string>;
  /** As the engine writes it. */
  createdAt: string;
}

/** The calls that keeping long-running containers takes, beside those of tasks: bounded in time, faults as values. */
export interface ServiceEngine extends Pick<Engine, "create" | "start" | "remove" | "list"> {
  inspect(nameOrId: string): Promise<Answer<Inspection>>;
  /** The image's own signal, SIGKILL after the grace; also ok where it had ended, or is not there. */
  stop(id: string, graceSeconds: number): Promise<Answer<void>>;
  run(id: string, command: readonly string[], timeoutMs: number): Promise<Answer<{ exitCode: number; output: string }>>;
  /** Digest: of its manifest, where it came from a registry. */
  image(name: string): Promise<Answer<{ id: string; digest?: string }>>;
  /** Several may have one name. */
  networksNamed(name: string): Promise<Answer<NetworkFacts[]>>;
  /** How many containers are in a network. */
  networkUsers(id: string): Promise<Answer<number>>;
  networks(labels: string[]): Promise<Answer<NetworkFacts[]>>;
  createNetwork(spec: Docker.NetworkCreateOptions): Promise<Answer<void>>;
  /** By its name, or by its id where several have that. */
  connectNetwork(network: { name: string; id?: string }, containerId: string, aliases: string[]): Promise<Answer<void>>;
  removeNetwork(id: string): Promise<Answer<void>>;
  volume(name: string): Promise<Answer<{ labels: Record<string, string> }>>;
  /** Also ok where there is one of that name. */
  createVolume(name: string, labels: Record<string, string>): Promise<Answer<void>>;
  /** What happens to containers with the labels, of the kinds of events named. */
  events(labels: string[], kinds: string[], signal: AbortSignal): Promise<Answer<Readable>>;
}

export interface ServiceEngineOptions {
  docker: Docker;
  /** For calls that only look. */
  lookTimeoutMs?: number;
  /** For calls that do something. */
  callTimeoutMs?: number;
}

/** Wraps a client in the calls that keeping replicas takes. */
export function createServiceEngine({
  docker,
  lookTimeoutMs = 10_000,
  callTimeoutMs = 30_000,
}: ServiceEngineOptions): ServiceEngine {
  const looking = createEngine({ docker, callTimeoutMs: lookTimeoutMs });
  const { create, start, remove } = createEngine({ docker, callTimeoutMs });
  const look = <T>(make: (abortSignal: AbortSignal) => Promise<T>) => ask(lookTimeoutMs, make);
  const call = <T>(make: (abortSignal: AbortSignal) => Promise<T>) => ask(callTimeoutMs, make);
  return {
    create,
    start,
    remove,
    list: looking.list,
    inspect: (id) => look((abortSignal) => docker.getContainer(id).inspect({ abortSignal })),
    stop: async (id, graceSeconds) => {
      const answer = await ask(callTimeoutMs + graceSeconds * 1000, async (abortSignal) => {
        await docker.getContainer(id).stop({ t: Math.ceil(graceSeconds), abortSignal });
      });
      const hadEnded = !answer.ok && (answer.fault === "missing" || /HTTP code 304/.test(answer.message));
      return hadEnded ? { ok: true, value: undefined } : answer;
    },
    run: (id, command, timeoutMs) => runInside(docker, id, command, timeoutMs),
    image: (name) =>
      look(async () => {
        const { Id: id, RepoDigests: digests } = await docker.getImage(name).inspect();
        const digest = digests?.[0]?.split("@")[1];
        return { id, ...(digest !== undefined && { digest }) };
      }),
    networksNamed: (name) =>
      look(async (abortSignal) => {
        // The engine takes the filter for a part of the name.
        const some = await docker.listNetworks({ filters: { name: [name] }, abortSignal });
        return some.filter((one) => one.Name === name).map(factsOf);
      }),
    networkUsers: (id) =>
      look(async () => {
        const { Containers: containers } = (await docker.getNetwork(id).inspect()) as { Containers?: object | null };
        return Object.keys(containers ?? {}).length;
      }),
    networks: (label) =>
      look(async (abortSignal) => (await docker.listNetworks({ filters: { label }, abortSignal })).map(factsOf)),
    createNetwork: (spec) =>
      call(async (abortSignal) => {
        // Without the split the client repeats the whole specification in the address.
        const options = { _query: {}, _body: spec, abortSignal };
        await docker.createNetwork(options as unknown as Docker.NetworkCreateOptions);
      }),
    connectNetwork: ({ name, id }, containerId, aliases) =>
      call(async (abortSignal) => {
        const endpoint = { Aliases: aliases, ...(id !== undefined && { NetworkID: id }) };
        const options = { Container: containerId, EndpointConfig: endpoint, abortSignal };
        await docker.getNetwork(id ?? name).connect(options);
      }),
    removeNetwork: (id) => call(async (abortSignal) => void (await docker.getNetwork(id).remove({ abortSignal }))),
    volume: (name) =>
      look(async (abortSignal) => {
        // The typings leave out that one without labels has null.
        const { Labels: labels } = (await docker.getVolume(name).inspect({ abortSignal })) as {
          Labels: Record<string, string> | null;
        };
        return { labels: labels ?? {} };
      }),
    createVolume: (name, labels) =>
      call(async (abortSignal) => {
        const options = { _query: {}, _body: { Name: name, Labels: labels }, abortSignal };
        await docker.createVolume(options as unknown as Docker.VolumeCreateOptions);
      }),
    events: (label, event, signal) =>
      openStream(callTimeoutMs, signal, (abortSignal) =>
        docker.getEvents({ filters: { type: ["container"], event, label }, abortSignal }),
      ),
  };
}

function factsOf({ Id: id, Name: name, Labels: labels, Created: createdAt }: Docker.NetworkInspectInfo): NetworkFacts {
  return { id, name, labels: labels ?? {}, createdAt };
}
