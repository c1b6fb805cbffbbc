import { randomUUID } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { connect } from "../../apps/agent/src/docker/connect.ts";
import { createEngine, type Engine } from "../../apps/agent/src/docker/engine.ts";
import { createPuller } from "../../apps/agent/src/docker/pull.ts";
import type { Way } from "./batch.ts";
import { buildImage, tools } from "./image.ts";

/** How the tasks can be run on this machine, and why so. */
export interface Choice {
  way: Way;
  /** In words, and why. */
  told: string;
  /** The image in words. */
  image?: string;
  /** Removes the image, where it was not there before. */
  release(): Promise<void>;
}

export interface WayOptions {
  host: string;
  /** Of this run. */
  folder: string;
  path: string;
  signal: AbortSignal;
  onStep: (text: string) => void;
}

type Docker = ReturnType<typeof connect>;

const publicImage = "busybox:1.37";
const answerMs = 3000;
const pullMs = 12_000;
const trialMs = 20_000;

/** The engine at an address, or why there is none. */
export async function findEngine(
  host: string,
): Promise<{ docker: Docker; engine: Engine; version: string } | { missing: string }> {
  try {
    const docker = connect({ host });
    const engine = createEngine({ docker, callTimeoutMs: answerMs });
    const answer = await engine.version();
    if (!answer.ok) {
      const isClosed = /EACCES/.test(answer.message);
      return {
        missing: isClosed
          ? `this user may not use the Docker Engine at ${host}`
          : `no Docker Engine answers at ${host}`,
      };
    }
    return { docker, engine: createEngine({ docker }), version: answer.value.version };
  } catch (error) {
    return { missing: error instanceof Error ? error.message : String(error) };
  }
}

/** Finds out whether containers can do the work: an engine, an image, and a trial that sees our files. */
export async function chooseWay(options: WayOptions): Promise<Choice> {
  const found = await findEngine(options.host);
  const asProcesses = (reason: string): Choice => ({
    way: { executor: "process" },
    told: `as processes, since ${reason}`,
    release: async () => {},
  });
  if ("missing" in found) return asProcesses(found.missing);
  const { docker, engine, version } = found;
  let made: string | undefined;
  const release = async () => {
    if (made !== undefined)
      await docker
        .getImage(made)
        .remove({ force: true })
        .catch(() => undefined);
  };
  try {
    const { image, origin, isOurs } = await provideImage(docker, engine, options);
    if (isOurs) made = image;
    await tryOut(docker, image, options);
    return {
      way: { executor: "docker", image },
      told: `in containers of Docker ${version}`,
      image: `${image}, ${origin}`,
      release,
    };
  } catch (error) {
    await release();
    options.signal.throwIfAborted();
    return asProcesses(`Docker ${version} is there, but ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** A small public image that is here, or can be had quickly; else one of this machine's tools. */
async function provideImage(
  docker: Docker,
  engine: Engine,
  { folder, path, signal, onStep }: WayOptions,
): Promise<{ image: string; origin: string; isOurs: boolean }> {
  const present = await docker.listImages({ filters: { reference: ["busybox", "alpine"] } });
  const [image] = present.flatMap(({ RepoTags: tags }) => tags ?? []).filter((tag) => !tag.includes("<none>"));
  if (image !== undefined) return { image, origin: "which was here already", isOurs: false };
  onStep(`pulling ${publicImage} ...`);
  const answer = await createPuller({ engine, timeoutMs: pullMs }).pull(publicImage, () => {}, signal);
  signal.throwIfAborted();
  if (answer.ok) return { image: publicImage, origin: "pulled, removed at the end", isOurs: true };
  onStep("building an image ...");
  const own = `drover-demo:${basename(folder).replace(/^demo-/, "")}`;
  const source = await buildImage(docker, own, folder, path);
  return { image: own, origin: `made from ${source}, since none could be pulled`, isOurs: true };
}

/** An engine on another machine, or in another one's file system, starts containers that do not see our files. */
async function tryOut(docker: Docker, image: string, { folder, signal, onStep }: WayOptions): Promise<void> {
  onStep("trying a container ...");
  const secret = randomUUID();
  const file = join(folder, "trial");
  writeFileSync(file, secret, { mode: 0o644 });
  const script = `for tool in ${tools.join(" ")}; do command -v $tool > /dev/null || exit 9; done; test "$(cat /trial)" = ${secret} || exit 8`;
  const container = await docker.createContainer({
    Image: image,
    Entrypoint: ["sh", "-c"],
    Cmd: [script],
    Labels: { "drover.holder": basename(folder) },
    HostConfig: {
      Mounts: [{ Type: "bind", Source: file, Target: "/trial", ReadOnly: true }],
      NetworkMode: "none",
      CapDrop: ["ALL"],
      Init: true,
    },
  });
  try {
    const abortSignal = AbortSignal.any([signal, AbortSignal.timeout(trialMs)]);
    await container.start({ abortSignal });
    const { StatusCode: code } = (await container.wait({ abortSignal })) as { StatusCode: number };
    if (code === 9) throw new Error(`its image ${image} lacks one of ${tools.join(", ")}`);
    if (code !== 0) throw new Error("its containers do not see this folder");
  } finally {
    await container.remove({ force: true, v: true }).catch(() => undefined);
    rmSync(file, { force: true });
  }
}
