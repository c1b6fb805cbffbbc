import { execFile } from "node:child_process";
import { randomInt } from "node:crypto";
import { existsSync } from "node:fs";
import { promisify } from "node:util";
import { type Dockerd, startDockerd, whyNoDockerd } from "./dockerd.ts";

const run = promisify(execFile);

/** A network namespace with an engine of its own, joined to this machine by one cable: what stands for another host. */
export interface NodeHost extends AsyncDisposable {
  /** For programs that are to run there. */
  namespace: string;
  /** This machine's end of the cable, as the host sees it. */
  gateway: string;
  engine: Dockerd;
  /** Pulls the cable: packets vanish, connections stay as they are. */
  cut(): Promise<void>;
  mend(): Promise<void>;
}

/** Why no host can be made here; in CI that is an error. */
export function whyNoNodeHost(): string | undefined {
  const hasIp = ["/usr/sbin/ip", "/sbin/ip", "/usr/bin/ip"].some((path) => existsSync(path));
  if (hasIp) return whyNoDockerd();
  const why = "a host of its own needs iproute2";
  if (process.env["CI"] === "true") throw new Error(why);
  return why;
}

/** Makes a host. */
export async function startNodeHost(): Promise<NodeHost> {
  const [high, low] = [randomInt(16, 32), randomInt(0, 256)];
  const tag = `dr${high.toString(16)}${low.toString(16).padStart(2, "0")}`;
  const gateway = `172.${high}.${low}.253`;
  const ip = (...args: string[]) => run("ip", args);
  const inside = (...args: string[]) => run("ip", ["-n", tag, ...args]);
  await ip("netns", "add", tag);
  const remove = () => ip("netns", "delete", tag).then(() => undefined);
  try {
    await ip("link", "add", tag, "type", "veth", "peer", "name", "uplink", "netns", tag);
    await ip("address", "add", `${gateway}/30`, "dev", tag);
    await ip("link", "set", tag, "up");
    await inside("address", "add", `172.${high}.${low}.254/30`, "dev", "uplink");
    await inside("link", "set", "uplink", "up");
    await inside("link", "set", "lo", "up");
    const namespace = `/run/netns/${tag}`;
    const engine = await startDockerd({ isLive: false, namespace });
    return {
      namespace,
      gateway,
      engine,
      cut: () => ip("link", "set", tag, "down").then(() => undefined),
      mend: () => ip("link", "set", tag, "up").then(() => undefined),
      async [Symbol.asyncDispose]() {
        await engine[Symbol.asyncDispose]();
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}
