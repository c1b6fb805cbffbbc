import type { AdvanceAnswer } from "./advance-answer.ts";
import { stepAt } from "../graph-index.ts";
import { isFinalStep, runLifecycle, stepLifecycle } from "../lifecycle.ts";
import { rowKey } from "./sheet.ts";
import type { SimRun, SimTask } from "./testing-store.ts";

/** Notes a move of a run or step; throws where the lifecycle does not have it. */
export function checkMove(moves: Set<string>, what: "run" | "step", from: string | null, to: string): void {
  if (from === to) return;
  moves.add(`${what} ${from} ${to}`);
  const { transitions } = what === "run" ? runLifecycle : stepLifecycle;
  const isKnown = transitions.some((move) => move.from === from && move.to === to);
  if (!isKnown) throw new Error(`a ${what} moved from ${from} to ${to}, which is not in its lifecycle`);
}

/** Throws where what an advance wrote breaks a bound, a counter, or the order of the graph. */
export function checkApplied(run: SimRun, answer: AdvanceAnswer, open: SimTask[]): void {
  const rows = [...run.rows.values()];
  const own = rows.filter((row) => row.item === -1);
  const isUnit = (row: (typeof rows)[number]) => row.item >= 0 || stepAt(run.graph, row.number).each === undefined;
  const counted = {
    total: run.graph.steps.length,
    completed: own.filter((row) => row.state === "completed").length,
    failed: own.filter((row) => row.state === "failed").length,
    tolerated: own.filter((row) => row.state === "failed" && stepAt(run.graph, row.number).mayFail === true).length,
    skipped: own.filter((row) => row.state === "skipped").length,
    cancelled: own.filter((row) => row.state === "cancelled").length,
    running: rows.filter((row) => row.state === "running" && isUnit(row)).length,
    held: answer.end === undefined ? rows.filter((row) => row.state === "pending").length : 0,
  };
  assertSame(`counts of run ${run.id}`, { ...answer.counts }, counted);
  if (counted.running > (run.graph.maxParallel ?? Infinity)) throw new Error(`${counted.running} units run at once`);
  for (const row of own) checkHeader(run, row.number);
  for (const { number, state } of answer.steps.filter(({ item }) => item === -1)) {
    for (const edge of state === "cancelled" ? [] : (stepAt(run.graph, number).needs ?? [])) {
      const source = run.graph.steps.findIndex((step) => step.id === edge.from);
      const from = run.rows.get(rowKey(source, -1));
      if (from === undefined || !isFinalStep(from.state))
        throw new Error(`step ${number} ran before ${edge.from} ended`);
    }
  }
  for (const task of open) {
    const row = run.rows.get(rowKey(task.number, task.item));
    const isOwn = row?.taskId === task.id || row?.data?.talk?.calls[task.id] !== undefined;
    if (row?.state !== "running" || !isOwn) throw new Error(`task ${task.id} is open and no row of its run knows it`);
  }
  if (answer.end !== undefined && open.length > 0) throw new Error(`run ${run.id} ended before its tasks`);
}

function checkHeader(run: SimRun, number: number): void {
  const { each } = stepAt(run.graph, number);
  const header = run.rows.get(rowKey(number, -1));
  const { total, running, ended, failed } = header?.data ?? {};
  if (each === undefined || header === undefined || total === undefined) return;
  const items = Array.from({ length: total }, (_, item) => run.rows.get(rowKey(number, item))?.state);
  const counted = {
    running: items.filter((state) => state === "running" || state === "waiting").length,
    ended: items.filter((state) => state !== undefined && isFinalStep(state)).length,
    failed: items.filter((state) => state === "failed" || state === "cancelled").length,
  };
  assertSame(`items of step ${number}`, { running, ended, failed }, counted);
  if (counted.running > (each.concurrency ?? Infinity)) throw new Error(`${counted.running} items run at once`);
}

function assertSame(what: string, got: object, expected: object): void {
  const sorted = (value: object) => JSON.stringify(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  if (sorted(got) !== sorted(expected)) throw new Error(`${what}: expected ${sorted(expected)}, got ${sorted(got)}`);
}
