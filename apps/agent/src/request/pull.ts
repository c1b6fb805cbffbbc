import type { NodeReply, NodeRequestSpec } from "@drover/db/node/replica";
import { isImage } from "@drover/domain/image-name";
import type { PullState } from "../docker/pull-progress.ts";
import type { Puller } from "../docker/pull.ts";
import type { ServiceEngine } from "../docker/service-engine.ts";
import type { Answer } from "./answer.ts";
import { createLatest } from "./latest.ts";
import { mapBounded } from "./map-bounded.ts";

export type PullSpec = Extract<NodeRequestSpec, { kind: "pull" }>["spec"];

type ImagePull = Extract<NodeReply, { pull: unknown }>["pull"];

const atOnce = 3;

/**
 * Fetches images with the bytes as the engine counts them; one that fails does not keep the others. An image that was
 * made on the node, and that no registry has, is there already.
 */
export async function sendPulls(
  { puller, images: known }: { puller: Puller; images: Pick<ServiceEngine, "image"> },
  { images }: PullSpec,
  { send, signal }: Pick<Answer, "send" | "signal">,
): Promise<void> {
  const latest = createLatest<ImagePull>({ send: (pull) => send({ pull }) });
  await mapBounded([...new Set(images)], atOnce, async (image) => {
    if (!isImage(image)) {
      const message = "Expected the name of an image, such as redis:7-alpine.";
      await latest.put(image, { image, status: "error", current: 0, total: 0, percent: 0, message });
      return;
    }
    let last: PullState = { phase: "downloading", currentBytes: 0, totalBytes: 0 };
    let percent = 0;
    const tell = (state: PullState) => {
      last = state;
      const { phase, currentBytes: current, totalBytes: total } = state;
      // Layers are found one after the other, so the share of what is known may shrink.
      percent = Math.max(percent, total > 0 ? Math.min(99, Math.floor((current * 100) / total)) : 0);
      void latest.put(image, { image, status: phase, current, total, percent });
    };
    tell(last);
    const answer = await puller.pull(image, (_, state) => tell(state), signal);
    const { currentBytes, totalBytes } = last;
    const isHere = !answer.ok && (await known.image(image)).ok;
    const isLocal = isHere && (answer.fault === "missing" || unknownWords.test(answer.message));
    const isThere = answer.ok || isLocal;
    await latest.put(image, {
      image,
      status: isThere ? "complete" : "error",
      current: isThere ? totalBytes : currentBytes,
      total: totalBytes,
      percent: isThere ? 100 : percent,
      ...(!answer.ok && { message: explain(answer.message, isHere, isLocal) }),
    });
  });
}

function explain(message: string, isHere: boolean, isLocal: boolean): string {
  if (!isHere) return message;
  const here = isLocal
    ? "The node has this image from elsewhere, and keeps it."
    : "The node has one of this name, and keeps it.";
  return `${message.replace(/\.$/, "")}. ${here}`;
}

/** How registries, and the engine after them, say that they know no such image. */
const unknownWords = /manifest unknown|manifest for .* not found|name unknown|repository does not exist/i;
