import { create } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { type ClassRow, listClasses } from "@drover/db/query/class";
import { type Class, ClassSchema, type ClassService } from "@drover/proto/drover/class";
import type { Deps } from "../operation/context.ts";
import { createClass } from "../operation/create-class.ts";
import { limitClass } from "../operation/limit-class.ts";
import { classNotFound, pauseClass } from "../operation/pause-class.ts";
import { callerOf } from "./caller.ts";

/** drover.v1.ClassService. */
export function classService(deps: Deps): ServiceImpl<typeof ClassService> {
  const read = async (context: HandlerContext, name: string): Promise<{ class: Class }> => {
    const namespaceId = await deps.directory.namespaceId(callerOf(context).namespace);
    const [row] = await listClasses(deps.db, namespaceId, name);
    if (row === undefined) throw classNotFound(name);
    return { class: classMessage(row) };
  };
  return {
    async createClass(request, context) {
      await createClass(deps, callerOf(context), request.name, {
        concurrencyLimit: request.concurrencyLimit,
        depthLimit: request.depthLimit,
        defaultImage: request.defaultImage || undefined,
      });
      return read(context, request.name);
    },
    async listClasses(_, context) {
      const namespaceId = await deps.directory.namespaceId(callerOf(context).namespace);
      return { classes: (await listClasses(deps.db, namespaceId)).map(classMessage) };
    },
    async pauseClass({ name }, context) {
      await pauseClass(deps, callerOf(context), name, true);
      return read(context, name);
    },
    async resumeClass({ name }, context) {
      await pauseClass(deps, callerOf(context), name, false);
      return read(context, name);
    },
    async setClassLimit({ name, concurrencyLimit }, context) {
      await limitClass(deps, callerOf(context), name, concurrencyLimit);
      return read(context, name);
    },
  };
}

function classMessage(row: ClassRow): Class {
  return create(ClassSchema, {
    name: row.name,
    ...(row.concurrency_limit !== null && { concurrencyLimit: row.concurrency_limit }),
    ...(row.depth_limit !== null && { depthLimit: BigInt(row.depth_limit) }),
    paused: row.paused,
    waiting: BigInt(row.waiting),
    pending: BigInt(row.pending),
    running: BigInt(row.running),
    defaultImage: row.default_image ?? "",
  });
}
