import type { Engine } from "../docker/engine.ts";
import type { Puller } from "../docker/pull.ts";
import type { ContainerReader } from "../docker/reader.ts";
import type { ServiceEngine } from "../docker/service-engine.ts";
import type { RequestHandlers } from "./desk.ts";
import { sendLogs } from "./logs.ts";
import { type ProbeReplica, sendProbes } from "./probe.ts";
import { sendPulls } from "./pull.ts";
import { measureUsage } from "./usage.ts";

export interface RequestTools {
  engine: Engine;
  reader: ContainerReader;
  /** The one through which the whole agent pulls. */
  puller: Puller;
  images: Pick<ServiceEngine, "image">;
  probe: ProbeReplica;
}

/** How a node with a container engine answers what is asked of it. */
export function createRequestHandlers({ engine, reader, puller, images, probe }: RequestTools): RequestHandlers {
  return {
    logs: (spec, answer) => sendLogs({ engine, reader }, spec, answer),
    probe: (spec, answer) => sendProbes({ engine, probe }, spec, answer),
    pull: (spec, answer) => sendPulls({ puller, images }, spec, answer),
    usage: (spec) => measureUsage({ engine, reader }, spec),
  };
}
