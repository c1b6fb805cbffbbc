import { randomBytes } from "node:crypto";
import { findVersion, saveVersion, type WorkflowRow } from "@drover/db/query/workflow";
import { touchWorkflow } from "@drover/db/query/workflow-list";
import { DroverError } from "@drover/domain/error";
import type { Json } from "@drover/domain/json";
import { readWorkflow } from "@drover/workflow/read-workflow";
import type { Caller, Deps } from "./context.ts";

/** Workflow JSON of nodes and edges; what is given beside it counts before what it says itself. */
export interface CompatWorkflowSource {
  text: string;
  id?: string;
  name?: string;
  description?: string;
}

/** Saves workflow JSON under its id, an id of ours where it has none. The texts of its faults are those that clients know. */
export async function saveCompatWorkflow(
  deps: Deps,
  caller: Caller,
  given: CompatWorkflowSource,
  { mustExist = false } = {},
): Promise<WorkflowRow> {
  const document = parseDocument(given);
  const id = checkId(document["id"]);
  const source = JSON.stringify({ ...document, id });
  const read = readWorkflow({ text: source, format: "dspy" });
  if ("faults" in read) throw new DroverError("invalid", read.faults.map(textOf).join("; "));
  const namespaceId = await deps.directory.namespaceId(caller.namespace);
  return deps.db.transaction(async (tx) => {
    const known = await findVersion(tx, namespaceId, id);
    if (known === undefined && mustExist) throw compatWorkflowNotFound();
    if (known !== undefined && known.format !== "dspy") throw otherFormat(id, known.format);
    const definition = { ...read.definition, name: id };
    const { created } = await saveVersion(tx, {
      namespaceId,
      name: id,
      format: "dspy",
      source,
      definition,
      actor: caller.actor,
    });
    // An equal workflow is no new version, but who saves over one wants to see that it was.
    if (mustExist && !created) await touchWorkflow(tx, namespaceId, id);
    const saved = await findVersion(tx, namespaceId, id);
    if (saved === undefined) throw new Error(`workflow ${id} vanished while it was saved`);
    return saved;
  });
}

/** The error for a workflow that is not there, in the words that these clients know. */
export function compatWorkflowNotFound(): DroverError {
  return new DroverError("not_found", "workflow not found");
}

/** Whether a text can be the id of a workflow at all. */
export function isCompatWorkflowId(id: string): boolean {
  return id !== "" && id.length <= maxIdLength && !id.includes("\0") && id.isWellFormed();
}

const maxIdLength = 200;

/** The document with its fields in a fixed order, without those that the server sets: equal workflows are equal texts. */
function parseDocument({ text, ...given }: CompatWorkflowSource): { [key: string]: Json | undefined } {
  const { created_at: _created, updated_at: _updated, id, ...rest } = parseObject(text);
  const { name, description, tags, tenant, version, nodes, edges, ...others } = rest;
  return {
    id: given.id || id,
    name: given.name || name,
    description: given.description || description,
    tags: Array.isArray(tags) ? sorted(tags) : tags,
    tenant,
    version,
    nodes,
    edges,
    ...others,
  };
}

/** As the format sorts them; what is no text is left to its checks. */
function sorted(tags: Json[]): Json[] {
  const texts = tags.filter((tag) => typeof tag === "string");
  return texts.length === tags.length ? texts.toSorted() : tags;
}

function parseObject(text: string): { [key: string]: Json } {
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch (error) {
    throw payloadFault(error instanceof Error ? error.message : String(error));
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw payloadFault(`expected an object, got ${Array.isArray(value) ? "a list" : JSON.stringify(value).slice(0, 60)}`);
}

function checkId(given: Json | undefined): string {
  if (given === undefined || given === null) return newId();
  if (typeof given !== "string") throw payloadFault(`id: expected a text, got ${JSON.stringify(given).slice(0, 60)}`);
  const id = given.trim();
  if (id === "") return newId();
  if (isCompatWorkflowId(id)) return id;
  throw payloadFault(`id: expected at most ${maxIdLength} characters without NUL and broken surrogates`);
}

function newId(): string {
  return `wf-${randomBytes(8).toString("hex")}`;
}

/** What a validator of the format says is told as it is; what its decoder would trip over is told as that. */
function textOf({ message, path }: { message: string; path: string }): string {
  return message.startsWith("Expected ")
    ? payloadFault(`${path === "" ? "" : `${path}: `}${message}`).message
    : message;
}

function payloadFault(message: string): DroverError {
  return new DroverError("invalid", `invalid workflow payload: ${message}`);
}

function otherFormat(id: string, format: string): DroverError {
  return new DroverError(
    "conflict",
    `Workflow "${id}" is kept in the format ${format}, which cannot be saved as nodes and edges.`,
    {
      hint: 'Change it with "drover workflow apply".',
    },
  );
}
