import { readEnvironment } from "@drover/environment/read-environment";
import type { Declaration } from "@drover/domain/environment/declaration";
import { redisImage } from "../../apps/agent/src/environment/testing-redis.ts";

/** Servers of Redis, of which the last waits for all others; each on a port of this machine. */
export interface RedisEnvironment {
  name: string;
  source: string;
  declaration: Declaration;
  ports: number[];
}

export function redisEnvironment(name: string, ports: number[]): RedisEnvironment {
  const first = ports.slice(0, -1).map((_, index) => `redis-${index}`);
  const services = ports.map((port, index) => [
    `redis-${index}`,
    {
      image: redisImage,
      pull: "never",
      command: ["/usr/bin/redis-server", "--protected-mode", "no", "--save", ""],
      ports: [`${port}:6379`],
      health: { redis: 6379 },
      ...(index === ports.length - 1 && first.length > 0 && { dependsOn: first }),
    },
  ]);
  const source = JSON.stringify({ drover: "environment/v1", name, services: Object.fromEntries(services) });
  const reading = readEnvironment({ text: source });
  if ("faults" in reading) throw new Error(reading.faults.map(({ message }) => message).join("\n"));
  return { name, source, declaration: reading.declaration, ports };
}
