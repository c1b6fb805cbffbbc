import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { EnvironmentService, EnvironmentState } from "@drover/proto/drover/environment";
import { findTestEngine } from "../../../apps/agent/src/docker/testing.ts";
import { ensureRedisImage } from "../../../apps/agent/src/environment/testing-redis.ts";
import { writeNodeLogin } from "../../../apps/api/src/node-login.ts";
import type { Bench } from "../bench.ts";
import { answersAnew, createByHand } from "../by-hand.ts";
import type { Figure } from "../figure.ts";
import { median, nowMs } from "../measure.ts";
import { startAgent, startApi } from "../program.ts";
import { type RedisEnvironment, redisEnvironment } from "../redis-environment.ts";

const pairs = 8;

/**
 * A real Redis, and six of which one waits for the others: from the apply until each answers, and from the kill of a
 * container until its service does again; beside the same containers made, started, killed and started by hand.
 */
export async function environment(bench: Bench): Promise<Figure[]> {
  const engine = await findTestEngine();
  if (engine.missing !== undefined) throw new Error(engine.missing);
  await ensureRedisImage(engine.docker);
  const folder = mkdtempSync(join(tmpdir(), "drover-bench-"));
  const api = await startApi(bench.url);
  const nodeUrl = await writeNodeLogin({ url: bench.url, name: "bench" });
  const agent = await startAgent(nodeUrl, {
    settings: { DROVER_AGENT_DOCKER: "true", DROVER_AGENT_MOUNTS: folder },
  });
  const client = createClient(EnvironmentService, createConnectTransport({ baseUrl: api.url, httpVersion: "2" }));
  const hand = createByHand({ docker: engine.docker });

  const untilState = async (name: string, isThere: (state: EnvironmentState) => boolean) => {
    for await (const { environment: seen } of client.watchEnvironment({ name }, { timeoutMs: 60_000 }))
      if (seen !== undefined && isThere(seen.state)) return seen;
    return undefined;
  };
  const byDrover = async (wanted: RedisEnvironment) => {
    const start = nowMs();
    await client.applyEnvironment({ source: wanted.source });
    await Promise.all(wanted.sockets.map((socket) => answersAnew(socket)));
    const answered = nowMs() - start;
    const seen = await untilState(wanted.name, (state) => state === EnvironmentState.READY);
    const told = nowMs() - start;
    const id = seen?.services[0]?.instances[0]?.containerId ?? "";
    const killed = await timeToReturn(wanted, () => engine.docker.getContainer(id).kill());
    await client.deleteEnvironment({ name: wanted.name });
    await untilState(wanted.name, () => false).catch((error: unknown) => {
      if (ConnectError.from(error).code !== Code.NotFound) throw error;
    });
    return { answered, told, killed };
  };
  const byHand = async (wanted: RedisEnvironment) => {
    await using made = await hand.make(wanted);
    const killed = await timeToReturn(wanted, () => made.killAndStart(0));
    return { answered: made.ms, told: made.ms, killed };
  };

  try {
    const figures: Figure[] = [];
    for (const services of [1, 6]) {
      const mine: Awaited<ReturnType<typeof byDrover>>[] = [];
      const plain: typeof mine = [];
      for (let pair = 0; pair < pairs; pair++) {
        const wanted = redisEnvironment({ name: `pair-${services}-${pair}`, count: services, folder });
        // In turns, so that neither has the warmer machine.
        if (pair % 2 === 0) mine.push(await byDrover(wanted));
        plain.push(await byHand(wanted));
        if (pair % 2 === 1) mine.push(await byDrover(wanted));
      }
      const row = (metric: string, of: "answered" | "told" | "killed") => {
        const [ours, floor] = [median(mine.map((one) => one[of])), median(plain.map((one) => one[of]))];
        const metricOf = `${metric}, ${services === 1 ? "one service" : `${services} services`}`;
        figures.push(
          { metric: metricOf, contestant: "drover", value: ours, unit: "ms" },
          { metric: metricOf, contestant: "floor", value: floor, unit: "ms" },
          { metric: `beyond by hand: ${metricOf}`, contestant: "drover", value: ours - floor, unit: "ms" },
        );
      };
      row("apply until Redis answers", "answered");
      row("apply until it is told to be ready", "told");
      if (services === 1) row("kill until Redis answers again", "killed");
    }
    return figures;
  } finally {
    await agent.end();
    await api.end();
    rmSync(folder, { recursive: true });
  }
}

/** From when the kill was sent until the first service answers as another process. */
async function timeToReturn(
  { sockets: [socket = ""] }: RedisEnvironment,
  kill: () => Promise<unknown>,
): Promise<number> {
  const before = await answersAnew(socket);
  const start = nowMs();
  await kill();
  await answersAnew(socket, before);
  return nowMs() - start;
}
