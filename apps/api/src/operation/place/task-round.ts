import type { PendingRow, TaskPlace } from "@drover/db/query/placement";
import { taskRequest } from "@drover/domain/placed-task";
import type { PlacementRequest } from "@drover/domain/placement/request";
import type { Round } from "@drover/domain/placement/round";
import { type Fleet, gangKey } from "./fleet.ts";

/** Finds places for the tasks of a line, in its order. */
export interface TaskRound {
  /** Decides about those that stand alone, and about gangs that have become whole. */
  add(rows: readonly PendingRow[]): void;
  /** After the last page: members of gangs that ran before come back together, as many as there are. */
  finish(): void;
  readonly places: TaskPlace[];
  /** How many were left without a place. */
  readonly left: number;
}

export interface TaskRoundOptions {
  round: Round;
  fleet: Pick<Fleet, "gangs" | "allowances">;
  /** After so long without a place room is kept for a task. */
  overdueSeconds: number;
}

/** A round of placing tasks over what is read of the fleet. */
export function createTaskRound({ round, fleet, overdueSeconds }: TaskRoundOptions): TaskRound {
  const { allowances } = fleet;
  const places: TaskPlace[] = [];
  const gathered = new Map<string, PendingRow[]>();
  const returning = new Map<string, PendingRow[]>();
  const requestOf = createRequestReader();
  let left = 0;
  let groups = 0;

  const placeAll = (rows: readonly PendingRow[]) => {
    if (!allow(allowances, rows)) return void (left += rows.length);
    const isOverdue = rows.some(({ waited_seconds }) => waited_seconds >= overdueSeconds);
    const answer = round.place({ requests: rows.map(requestOf), isOverdue });
    if (!Array.isArray(answer)) return void (left += rows.length);
    const group = rows.length > 1 ? (groups += 1) : undefined;
    answer.forEach((place, index) => {
      const row = rows[index];
      if (row === undefined) return;
      spend(allowances, row);
      places.push({ row, group, place });
    });
  };

  return {
    places,
    get left() {
      return left;
    },
    add(rows) {
      for (const row of rows) {
        const { gang } = row.execution;
        if (gang === undefined) {
          placeAll([row]);
          continue;
        }
        const key = gangKey(row.namespace_id, gang.name);
        const members = gather(row.has_started ? returning : gathered, key, row);
        if (row.has_started || members.length + (fleet.gangs.get(key) ?? 0) < gang.size) continue;
        gathered.delete(key);
        placeAll(members);
      }
    },
    finish() {
      for (const members of returning.values()) placeAll(members);
      for (const members of gathered.values()) left += members.length;
    },
  };
}

function gather(gangs: Map<string, PendingRow[]>, key: string, row: PendingRow): PendingRow[] {
  const members = gangs.get(key);
  if (members === undefined) {
    const first = [row];
    gangs.set(key, first);
    return first;
  }
  members.push(row);
  return members;
}

/** Whether the limits of their classes let all of them start. */
function allow(allowances: ReadonlyMap<number, number>, rows: readonly PendingRow[]): boolean {
  if (allowances.size === 0) return true;
  const asked = new Map<number, number>();
  for (const { class_id } of rows) asked.set(class_id, (asked.get(class_id) ?? 0) + 1);
  return [...asked].every(([id, count]) => count <= (allowances.get(id) ?? Infinity));
}

function spend(allowances: Map<number, number>, { class_id }: PendingRow): void {
  const allowed = allowances.get(class_id);
  if (allowed !== undefined) allowances.set(class_id, allowed - 1);
}

/** Tasks that are submitted by the thousand are alike: each sort is read once. */
function createRequestReader(): (row: PendingRow) => PlacementRequest {
  const known = new Map<string, PlacementRequest>();
  return ({ execution, executor, class: className }) => {
    const key = JSON.stringify([executor, className, execution]);
    const request = known.get(key) ?? taskRequest(execution, { executor, className });
    known.set(key, request);
    return request;
  };
}
