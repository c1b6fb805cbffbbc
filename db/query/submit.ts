import { DroverError } from "@drover/domain/error";
import { type SQL, sql } from "drizzle-orm";
import type { Executor } from "../client.ts";

/** A task as the queue takes it. JSON travels as text. */
export interface NewTask {
  queueId: number;
  payload?: string | undefined;
  execution?: string | undefined;
  retry?: string | undefined;
  labels?: string | undefined;
  priority?: number | undefined;
  timeoutSeconds?: number | undefined;
  delayMs?: number | undefined;
}

/** A task with an id or a key that the client chose, and the hash of its body. */
export interface NewNamedTask extends NewTask {
  name?: string | undefined;
  idempotencyKey?: string | undefined;
  requestHash: Uint8Array;
}

export interface SubmitContext {
  namespaceId: number;
  actor: string;
}

/** Submits tasks whose ids the server makes, in one statement, with hints that leave as it commits; their keys in order. */
export async function submit(
  db: Executor,
  context: SubmitContext,
  tasks: readonly NewTask[],
  hints: readonly string[] = [],
): Promise<string[]> {
  if (tasks.length === 0) return [];
  const [row] = await db.run<{ ids: string[] }>(
    sql`select drover.submit(${context.namespaceId}, ${context.actor}, ${columns(tasks)},
      ${sql.param(hints.length > 0 ? hints : null)}::text[]) as ids`,
  );
  return row?.ids ?? [];
}

export type NamedVerdict = { task_id: string; verdict: "created" | "existing" | "conflict" };

/** Submits tasks that bring their own id or idempotency key; a verdict for each, in order. */
export async function submitNamed(
  db: Executor,
  context: SubmitContext,
  tasks: readonly NewNamedTask[],
): Promise<NamedVerdict[]> {
  if (tasks.length === 0) return [];
  for (const { name, idempotencyKey } of tasks) requireText(name, idempotencyKey);
  return db.run(sql`
    select task_id, verdict
      from drover.submit_named(${context.namespaceId}, ${context.actor}, ${columns(tasks)},
        ${sql.param(tasks.map((task) => task.name ?? null))}::text[],
        ${sql.param(tasks.map((task) => task.idempotencyKey ?? null))}::text[],
        ${sql.param(tasks.map((task) => `\\x${Buffer.from(task.requestHash).toString("hex")}`))}::text[]::bytea[])`);
}

/** Records a task that cannot run as failed from the start. */
export async function submitFailed(
  db: Executor,
  context: SubmitContext,
  task: { queueId: number; payload: string; name: string | null; requestHash: Uint8Array; error: string },
): Promise<NamedVerdict | undefined> {
  const [row] = await db.run<NamedVerdict>(sql`
    select task_id, verdict
      from drover.submit_failed(${context.namespaceId}, ${context.actor}, ${task.queueId}, ${task.payload}::json, ${task.name}::text,
        ${`\\x${Buffer.from(task.requestHash).toString("hex")}`}::text::bytea, ${task.error}::json)`);
  return row;
}

/** Half a surrogate pair would be stored as U+FFFD, and different names become one. */
function requireText(...texts: (string | undefined)[]): void {
  for (const text of texts) {
    if (text === undefined || text.isWellFormed()) continue;
    throw new DroverError("invalid", `Expected a name of whole characters, got ${JSON.stringify(text)}.`, {
      hint: "Take out halves of surrogate pairs.",
    });
  }
}

/** Parallel arrays; one that would hold nothing but defaults is sent as null. */
function columns(tasks: readonly NewTask[]): SQL {
  return sql.join(
    [
      sql`${sql.param(tasks.map((task) => task.queueId))}::integer[]`,
      sql`${column(tasks, (task) => task.payload)}::json[]`,
      sql`${column(tasks, (task) => task.execution)}::json[]`,
      sql`${column(tasks, (task) => task.retry)}::json[]`,
      sql`${column(tasks, (task) => task.labels)}::jsonb[]`,
      sql`${column(tasks, (task) => task.priority)}::integer[]`,
      sql`${column(tasks, (task) => task.timeoutSeconds)}::integer[]`,
      sql`${column(tasks, (task) => task.delayMs)}::bigint[]`,
    ],
    sql`, `,
  );
}

function column(tasks: readonly NewTask[], value: (task: NewTask) => string | number | undefined) {
  return sql.param(tasks.some((task) => value(task) !== undefined) ? tasks.map((task) => value(task) ?? null) : null);
}
