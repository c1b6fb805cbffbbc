import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { findVersion, listVersions, listWorkflows } from "@drover/db/query/workflow";
import { DroverError } from "@drover/domain/error";
import { decodePageToken, encodePageToken } from "@drover/domain/page-token";
import { type WorkflowFormat, workflowFormats } from "@drover/domain/workflow/definition";
import { FaultSchema, type WorkflowService } from "@drover/proto/drover/workflow";
import { readWorkflow } from "@drover/workflow/read-workflow";
import { applyWorkflow } from "../operation/apply-workflow.ts";
import type { Deps } from "../operation/context.ts";
import { workflowNotFound } from "../operation/start-run.ts";
import { callerOf } from "./caller.ts";
import { draftMessage, workflowMessage } from "./workflow-message.ts";

/** drover.v1.WorkflowService. */
export function workflowService(deps: Deps): ServiceImpl<typeof WorkflowService> {
  const { db, directory } = deps;
  return {
    async applyWorkflow({ source, format }, context) {
      const caller = callerOf(context);
      const { name, version, created } = await applyWorkflow(deps, caller, { source, format: formatOf(format) });
      const row = await findVersion(db, await directory.namespaceId(caller.namespace), name, version);
      if (row === undefined) throw workflowNotFound(name, version);
      return { workflow: workflowMessage(row), created };
    },

    async validateWorkflow({ source, format }) {
      const named = formatOf(format);
      const read = readWorkflow({ text: source, ...(named && { format: named }) });
      if ("faults" in read) return { faults: read.faults.map((fault) => create(FaultSchema, fault)) };
      return { workflow: draftMessage(read.definition, read.format) };
    },

    async getWorkflow({ name, version }, context) {
      const namespaceId = await directory.namespaceId(callerOf(context).namespace);
      const number = version === 0 ? undefined : version;
      const row = await findVersion(db, namespaceId, name, number);
      if (row === undefined) {
        const known = await listWorkflows(db, namespaceId, "", 1000);
        throw workflowNotFound(
          name,
          number,
          known.map((one) => one.name),
        );
      }
      return { workflow: workflowMessage(row) };
    },

    async listWorkflows({ pageSize, pageToken }, context) {
      const namespaceId = await directory.namespaceId(callerOf(context).namespace);
      const size = pageSize || 100;
      const after = pageToken === "" ? "" : (decodePageToken(pageToken, "workflows")["name"] ?? "");
      const rows = await listWorkflows(db, namespaceId, after, size + 1);
      const page = rows.slice(0, size);
      const last = page.at(-1);
      return {
        workflows: page.map((row) => workflowMessage(row, { withSource: false })),
        nextPageToken:
          rows.length > size && last !== undefined ? encodePageToken({ name: last.name }, "workflows") : "",
      };
    },

    async listWorkflowVersions({ name }, context) {
      const rows = await listVersions(db, await directory.namespaceId(callerOf(context).namespace), name);
      if (rows.length === 0) throw workflowNotFound(name);
      return { workflows: rows.map((row) => workflowMessage(row, { withSource: false })) };
    },
  };
}

function formatOf(text: string): WorkflowFormat | undefined {
  if (text === "") return undefined;
  const format = workflowFormats.find((one) => one === text);
  if (format !== undefined) return format;
  const message = `expected ${workflowFormats.join(", ")} or nothing, got "${text}"`;
  throw new DroverError("invalid", `format: ${message}.`, { fields: [{ field: "format", message }] });
}
