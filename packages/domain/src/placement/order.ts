import type { Constraints } from "../environment/declaration.ts";
import type { NodePicture } from "./picture.ts";
import type { PlacementRequest } from "./request.ts";

/** What decides between two nodes that can both run something. */
export interface Standing {
  /** How much of what it needs lies there already: model files weigh twice an image. */
  locality: number;
  /** 1 where the node has GPUs that are not asked for. */
  idleGpus: 0 | 1;
  /** How many such GPUs could still be given away there. */
  gpuPlaces: number;
  /** Share of the cpu and of the memory that is promised: 0 to 2, and more where too much was. */
  used: number;
  /** Free slots of the class. */
  slots: number;
  /** How many of the kind run there. */
  sameKind: number;
  rank: number;
}

type Order = (a: Standing, b: Standing) => number;

/**
 * Better nodes first. binpack: where the files are, then the fullest, keeping hosts with GPUs for those who ask for
 * them. spread: the fewest of the kind before anything else, or all would meet where the image lies.
 */
export const orders: Record<Constraints["strategy"], Order> = {
  binpack: (a, b) =>
    b.locality - a.locality ||
    a.idleGpus - b.idleGpus ||
    a.gpuPlaces - b.gpuPlaces ||
    b.used - a.used ||
    a.slots - b.slots ||
    a.rank - b.rank,
  spread: (a, b) =>
    a.sameKind - b.sameKind ||
    b.locality - a.locality ||
    b.gpuPlaces - a.gpuPlaces ||
    a.used - b.used ||
    b.slots - a.slots ||
    a.rank - b.rank,
};

/** How much of a request's files a node holds. */
export function localityOf({ images, models }: NodePicture, { image, constraints }: PlacementRequest): number {
  const hasImage = image !== undefined && (images.has(image) || images.has(withoutTag(image)));
  return Number(hasImage) + 2 * constraints.models.filter((model) => models.has(model)).length;
}

/** The share of cpu and memory that a node has promised. */
export function usedShare({ cpuUsed, cpuMillicores, memoryUsed, memoryBytes }: NodePicture): number {
  return cpuUsed / Math.max(1, cpuMillicores) + memoryUsed / Math.max(1, memoryBytes);
}

/** Engines list an image by digest without its tag: `redis:7@sha256:0a` lies there as `redis@sha256:0a`. */
function withoutTag(image: string): string {
  return image.replace(/:[^/:@]+(?=@)/, "");
}
