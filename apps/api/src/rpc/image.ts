import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { type EngineNode, listEngineNodes } from "@drover/db/query/node-request";
import { DroverError } from "@drover/domain/error";
import { isImage } from "@drover/domain/image-name";
import { type NodeService, type PullImagesResponse, PullImagesResponseSchema } from "@drover/proto/drover/node";
import { ask, type AskDeps } from "../watch/node-request.ts";
import { callerOf } from "./caller.ts";
import type { ServiceRpcOptions } from "./service.ts";

/** The part of drover.v1.NodeService that fetches images. */
export function imageRpc({ deps, wakeups }: ServiceRpcOptions) {
  return {
    async *pullImages({ images, nodes }, context) {
      await deps.directory.namespaceId(callerOf(context).namespace);
      const chosen = chooseNodes(await listEngineNodes(deps.db), nodes);
      yield* pullOn({ db: deps.db, wakeups }, chosen, images, context.signal);
    },
  } satisfies Partial<ServiceImpl<typeof NodeService>>;
}

/** The nodes of these names; without any, all that can fetch images now. */
export function chooseNodes(all: readonly EngineNode[], names: readonly string[]): EngineNode[] {
  for (const name of names) {
    if (all.some((node) => node.name === name)) continue;
    throw new DroverError("not_found", `There is no node "${name}".`, {
      hint: 'List the nodes with "drover node list".',
    });
  }
  if (names.length > 0) return all.filter(({ name }) => names.includes(name));
  const ready = all.filter((node) => node.is_live && node.has_engine);
  if (ready.length > 0) return ready;
  throw new DroverError("unavailable", "Expected a node with a container engine, but none is there now.", {
    hint: 'Look at "drover node list".',
  });
}

/** Fetches images onto nodes, with progress as it is; a node or an image that fails is told, and the others go on. */
export async function* pullOn(
  deps: AskDeps,
  nodes: readonly EngineNode[],
  images: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<PullImagesResponse> {
  const distinct = [...new Set(images)];
  const wrong = distinct.find((image) => !isImage(image));
  if (wrong !== undefined) {
    const message = `Expected images such as redis:7-alpine, got ${JSON.stringify(wrong.slice(0, 100))}.`;
    throw new DroverError("invalid", message, { fields: [{ field: "images", message }] });
  }
  const questions = nodes.map(({ id }) => ({ holderId: id, kind: "pull" as const, spec: { images: distinct } }));
  const open = nodes.map(() => new Set(distinct));
  for await (const answer of ask(deps, questions, { signal })) {
    const { node } = answer;
    if ("fault" in answer) {
      for (const image of open[answer.question] ?? []) {
        yield create(PullImagesResponseSchema, { node, image, status: "error", message: answer.fault.message });
      }
    } else if ("pull" in answer.body) {
      const { image, status, current, total, percent, message = "" } = answer.body.pull;
      if (status === "complete" || status === "error") open[answer.question]?.delete(image);
      const bytes = { currentBytes: BigInt(current), totalBytes: BigInt(total) };
      yield create(PullImagesResponseSchema, { node, image, status, percent, message, ...bytes });
    }
  }
}
