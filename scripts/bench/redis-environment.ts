import { join } from "node:path";
import { readEnvironment } from "@drover/environment/read-environment";
import type { Declaration } from "@drover/domain/environment/declaration";
import { redisImage } from "../../apps/agent/src/environment/testing-redis.ts";

/** Servers of Redis, of which the last waits for all others. */
export interface RedisEnvironment {
  name: string;
  source: string;
  declaration: Declaration;
  /** Folder of this machine that all of them mount. */
  folder: string;
  /** Where each listens besides its port, as paths of this machine: asking there disturbs no network that is just made. */
  sockets: string[];
}

export function redisEnvironment({
  name,
  count,
  folder,
}: {
  name: string;
  count: number;
  folder: string;
}): RedisEnvironment {
  const names = Array.from({ length: count }, (_, index) => `redis-${index}`);
  const first = names.slice(0, -1);
  const services = names.map((service, index) => {
    const command = ["/usr/bin/redis-server", "--protected-mode", "no", "--save", ""];
    return [
      service,
      {
        image: redisImage,
        pull: "never",
        command: [...command, "--unixsocket", `/told/${service}.sock`, "--unixsocketperm", "777"],
        mounts: [`${folder}:/told`],
        health: { redis: 6379 },
        ...(index === count - 1 && count > 1 && { dependsOn: first }),
      },
    ];
  });
  const source = JSON.stringify({ drover: "environment/v1", name, services: Object.fromEntries(services) });
  const reading = readEnvironment({ text: source });
  if ("faults" in reading) throw new Error(reading.faults.map(({ message }) => message).join("\n"));
  const sockets = names.map((service) => join(folder, `${service}.sock`));
  return { name, source, declaration: reading.declaration, folder, sockets };
}
