import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { listNodeGpus } from "@drover/db/query/node-gpu";
import type { Gpu, NodeService } from "@drover/proto/drover/node";
import type { Deps } from "../operation/context.ts";
import { cordonGpu, gpuNotFound, uncordonGpu } from "../operation/cordon-gpu.ts";
import { callerOf } from "./caller.ts";
import { gpuMessage } from "./node-message.ts";

/** The part of drover.v1.NodeService that is about GPUs. */
export function gpuHandlers(
  deps: Deps,
): Pick<ServiceImpl<typeof NodeService>, "listGpus" | "cordonGpu" | "uncordonGpu"> {
  const list = async (context: HandlerContext, which: { node?: string; uuid?: string }) => {
    await deps.directory.namespaceId(callerOf(context).namespace);
    return listNodeGpus(deps.db, which);
  };
  const read = async (context: HandlerContext, uuid: string): Promise<{ gpu: Gpu }> => {
    const rows = await list(context, { uuid });
    // One that was moved to another host is gone from the first.
    const row = rows.find(({ state }) => state !== "gone") ?? rows[0];
    if (row === undefined) throw gpuNotFound(uuid);
    return { gpu: gpuMessage(row) };
  };
  return {
    async listGpus({ node }, context) {
      return { gpus: (await list(context, node === "" ? {} : { node })).map(gpuMessage) };
    },
    async cordonGpu({ uuid, reason }, context) {
      await cordonGpu(deps, callerOf(context), uuid, reason);
      return read(context, uuid);
    },
    async uncordonGpu({ uuid }, context) {
      await uncordonGpu(deps, callerOf(context), uuid);
      return read(context, uuid);
    },
  };
}
