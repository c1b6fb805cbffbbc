import { create } from "@bufbuild/protobuf";
import type { PullImagesResponse } from "@drover/proto/drover/node";
import { type ImagePullProgress, ImagePullProgressSchema } from "@drover/proto/env_manager/env_manager";

/** What several nodes fetch, told as one pull for each image: its end is that of the last node. */
export async function* mergePulls(
  pulls: AsyncIterable<PullImagesResponse>,
  nodeCount: number,
): AsyncGenerator<ImagePullProgress> {
  const images = new Map<string, Map<string, PullImagesResponse>>();
  const faces = new Map<string, string>();
  for await (const pull of pulls) {
    const byNode = images.get(pull.image) ?? new Map<string, PullImagesResponse>();
    images.set(pull.image, byNode.set(pull.node, pull));
    const progress = merge(pull.image, [...byNode.values()], nodeCount);
    const face = `${progress.status} ${progress.current} ${progress.total} ${progress.progressPercent}`;
    if (faces.get(pull.image) === face) continue;
    faces.set(pull.image, face);
    yield progress;
  }
}

function merge(imageName: string, pulls: readonly PullImagesResponse[], nodeCount: number): ImagePullProgress {
  const current = pulls.reduce((sum, pull) => sum + pull.currentBytes, 0n);
  const total = pulls.reduce((sum, pull) => sum + pull.totalBytes, 0n);
  const status = statusOf(pulls, nodeCount);
  const percents = pulls.reduce((sum, pull) => sum + pull.percent, 0);
  const progressPercent = status === "complete" ? 100 : Math.min(99, Math.floor(percents / nodeCount));
  return create(ImagePullProgressSchema, { imageName, status, current, total, progressPercent });
}

function statusOf(pulls: readonly PullImagesResponse[], nodeCount: number): string {
  const ended = pulls.filter(({ status }) => status === "complete" || status === "error");
  if (ended.length === nodeCount) return ended.some(({ status }) => status === "error") ? "error" : "complete";
  return pulls.some(({ status }) => status === "downloading") ? "downloading" : "extracting";
}
