import type { NodeReply, NodeRequestSpec } from "@drover/db/node/replica";
import type { PullState } from "../docker/pull-progress.ts";
import type { Puller } from "../docker/pull.ts";
import type { Answer } from "./answer.ts";
import { createLatest } from "./latest.ts";
import { mapBounded } from "./map-bounded.ts";

export type PullSpec = Extract<NodeRequestSpec, { kind: "pull" }>["spec"];

type ImagePull = Extract<NodeReply, { pull: unknown }>["pull"];

const atOnce = 3;

/** Fetches images with the bytes as the engine counts them; one that fails does not keep the others. */
export async function sendPulls(
  puller: Puller,
  { images }: PullSpec,
  { send, signal }: Pick<Answer, "send" | "signal">,
): Promise<void> {
  const latest = createLatest<ImagePull>({ send: (pull) => send({ pull }) });
  await mapBounded([...new Set(images)], atOnce, async (image) => {
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
    await latest.put(
      image,
      answer.ok
        ? { image, status: "complete", current: totalBytes, total: totalBytes, percent: 100 }
        : { image, status: "error", current: currentBytes, total: totalBytes, percent, message: answer.message },
    );
  });
}
