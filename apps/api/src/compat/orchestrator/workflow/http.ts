import { getRun, listRuns } from "@drover/db/query/run";
import { findVersion, type WorkflowRow } from "@drover/db/query/workflow";
import { listFormerVersions, listNewest } from "@drover/db/query/workflow-list";
import { compatSummary, type CompatVersion, compatWorkflow } from "@drover/domain/compat-workflow";
import { DroverError } from "@drover/domain/error";
import type { Json } from "@drover/domain/json";
import { parseRunId } from "@drover/domain/run-id";
import type { Context, Hono } from "hono";
import type { Deps } from "../../../operation/context.ts";
import type { DefinitionCache } from "../../../operation/definition-cache.ts";
import {
  compatWorkflowNotFound,
  isCompatWorkflowId,
  saveCompatWorkflow,
} from "../../../operation/save-compat-workflow.ts";
import { startCompatRun } from "../../../operation/start-compat-run.ts";
import { callerFrom } from "../../../rpc/caller.ts";
import { runRecords } from "./run-view.ts";
import { readLimit, readStart, readVersion } from "./request.ts";

export interface WorkflowHttpOptions {
  deps: Deps;
  definitions: DefinitionCache;
}

const maxListed = 1000;

/** Workflows and their runs over HTTP; faults are plain text. */
export function mountWorkflows(app: Hono, { deps, definitions }: WorkflowHttpOptions): void {
  const { db, directory } = deps;
  const callerOf = (c: Context) => callerFrom(c.req.raw.headers);
  const namespaceOf = (c: Context) => directory.namespaceId(callerOf(c).namespace);
  const find = async (c: Context, number?: number): Promise<WorkflowRow> => {
    const id = c.req.param("id") ?? "";
    const row = isCompatWorkflowId(id) ? await findVersion(db, await namespaceOf(c), id, number) : undefined;
    if (row === undefined) throw compatWorkflowNotFound();
    return row;
  };
  const recordOf = async (c: Context, key: string | undefined) => {
    const row = key === undefined ? undefined : await getRun(db, await namespaceOf(c), key);
    if (row === undefined) throw new DroverError("not_found", "run not found");
    return (await runRecords(deps, definitions, [row]))[0] as { [key: string]: Json };
  };

  app.get("/workflows", async (c) => {
    const rows = await listNewest(db, await namespaceOf(c), maxListed);
    return c.json({
      items: rows.map(({ name: id, created_at: createdAt, updated_at: updatedAt, ...rest }) =>
        compatSummary({ id, createdAt, updatedAt, ...rest }),
      ),
    });
  });
  app.post("/workflows", async (c) => {
    const row = await saveCompatWorkflow(deps, callerOf(c), { text: await c.req.text() });
    return c.json(compatWorkflow(newestOf(row)), 201);
  });
  app.get("/workflows/:id", async (c) => {
    const number = readVersion(c.req.query("version"));
    const row = await find(c, number);
    return c.json(compatWorkflow(number === undefined ? newestOf(row) : versionOf(row)));
  });
  app.put("/workflows/:id", async (c) => {
    const id = c.req.param("id");
    if (!isCompatWorkflowId(id)) throw compatWorkflowNotFound();
    const row = await saveCompatWorkflow(deps, callerOf(c), { text: await c.req.text(), id }, { mustExist: true });
    return c.json(compatWorkflow(newestOf(row)));
  });
  app.get("/workflows/:id/history", async (c) => {
    const { name: id } = await find(c);
    const rows = await listFormerVersions(db, await namespaceOf(c), id, maxListed);
    const items = rows.map((row) => ({
      id,
      updated_at: row.created_at.toISOString(),
      path: `/workflows/${encodeURIComponent(id)}?version=${row.number}`,
    }));
    return c.json({ items });
  });
  app.post("/workflows/:id/runs", async (c) => {
    const draft = { ...readStart(await c.req.text()), workflow: c.req.param("id") };
    try {
      return c.json(await recordOf(c, await startCompatRun(deps, callerOf(c), draft)));
    } catch (error) {
      if (!(error instanceof DroverError)) throw error;
      // A workflow that is not there is a start that failed, as these clients know it.
      if (error.reason === "not_found") return c.text(`start run failed: ${error.message}`, 500);
      if (error.reason !== "invalid") throw error;
      return c.text(`start run failed: ${error.message}`, 400);
    }
  });
  app.get("/workflows/:id/runs", async (c) => {
    const limit = readLimit(c.req.query("limit"));
    const { name: workflow } = await find(c);
    const rows = await listRuns(db, await namespaceOf(c), { workflow }, limit);
    return c.json({ items: await runRecords(deps, definitions, rows) });
  });
  app.get("/workflow-runs/:id", async (c) => c.json(await recordOf(c, parseRunId(c.req.param("id")))));

  for (const [path, allow] of methods) {
    app.all(path, (c) => c.text(`Expected ${allow}, got ${c.req.method}.`, 405, { allow }));
  }
}

const methods = [
  ["/workflows", "GET, POST"],
  ["/workflows/:id", "GET, PUT"],
  ["/workflows/:id/history", "GET"],
  ["/workflows/:id/runs", "GET, POST"],
  ["/workflow-runs/:id", "GET"],
] as const;

function newestOf(row: WorkflowRow): CompatVersion {
  return { ...versionOf(row), updatedAt: row.updated_at };
}

/** A version counts as updated when it was made. */
function versionOf({ name: id, number, format, definition, created_at, first_created_at }: WorkflowRow): CompatVersion {
  return { id, number, format, definition, createdAt: first_created_at, updatedAt: created_at };
}
