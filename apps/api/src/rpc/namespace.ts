import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import { listNamespaces, type NamespaceRow } from "@drover/db/query/namespace";
import { type Namespace, NamespaceSchema, type NamespaceService } from "@drover/proto/drover/namespace";
import type { Deps } from "../operation/context.ts";
import { createNamespace } from "../operation/create-namespace.ts";
import { callerOf } from "./caller.ts";

/** drover.v1.NamespaceService. */
export function namespaceService(deps: Deps): ServiceImpl<typeof NamespaceService> {
  return {
    async createNamespace({ name }, context) {
      return { namespace: namespaceMessage(await createNamespace(deps, callerOf(context), name)) };
    },
    async listNamespaces() {
      return { namespaces: (await listNamespaces(deps.db)).map(namespaceMessage) };
    },
  };
}

function namespaceMessage({ name, created_at }: NamespaceRow): Namespace {
  return create(NamespaceSchema, { name, createdAt: timestampFromDate(created_at) });
}
