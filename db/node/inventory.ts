import { sql } from "drizzle-orm";
import type { Executor } from "../client.ts";

/** A GPU, or a slice of one, as a node found it. */
export interface InventoryGpu {
  uuid: string;
  kind: "whole" | "mig" | "shared";
  vendor: "nvidia" | "amd";
  /** As the driver counts them. */
  number: number;
  model: string;
  memoryMib: number;
  driver?: string;
  profile?: string;
  parentUuid?: string;
  /** How many may use it at once. */
  slotCount: number;
  utilizationPercent?: number;
  isUsable: boolean;
  /** Why not. */
  evidence?: string;
}

/** Tells what a node has to give; false when a newer life of it has taken over. */
export async function inventory(
  db: Executor,
  holder: { holderId: number; epoch: string },
  found: { gpus: readonly InventoryGpu[]; images: readonly string[]; models: readonly string[] },
): Promise<boolean> {
  const [row] = await db.run<{ known: boolean }>(sql`
    select node.inventory(${holder.holderId}, ${holder.epoch}, ${JSON.stringify(found.gpus)}::json,
      ${sql.param(found.images)}::text[], ${sql.param(found.models)}::text[]) as known`);
  return row?.known ?? false;
}

/** Keeps further work off a GPU that failed; false when it was cordoned already or a newer life has taken over. */
export async function cordonGpu(
  db: Executor,
  holder: { holderId: number; epoch: string },
  gpu: { uuid: string; evidence: string },
): Promise<boolean> {
  const [row] = await db.run<{ cordoned: boolean }>(
    sql`select node.cordon_gpu(${holder.holderId}, ${holder.epoch}, ${gpu.uuid}, ${gpu.evidence}) as cordoned`,
  );
  return row?.cordoned ?? false;
}
