import { formatDuration } from "./duration.ts";
import { cutText } from "./text-width.ts";
import type { Terminal } from "./world.ts";

/** One line that tells how far a long work is; it leaves no trace once it is done. */
export interface Progress {
  /** How much is done, and what else is worth a word. */
  update(done: number, remark?: string): void;
  /** Removes the line. */
  clear(): void;
}

export interface ProgressOptions {
  terminal: Terminal;
  title: string;
  /** Absent: only a count is shown. */
  total?: number | undefined;
  isShown: boolean;
  now?: () => number;
}

const barWidth = 24;
const redrawMs = 80;

/** Draws on one line of a terminal, at most twelve times a second. */
export function createProgress({
  terminal,
  title,
  total,
  isShown,
  now = () => performance.now(),
}: ProgressOptions): Progress {
  const startedAt = now();
  let drawnAt = Number.NEGATIVE_INFINITY;
  let isDrawn = false;
  return {
    update(done, remark = "") {
      const isDone = total !== undefined && done >= total;
      if (!isShown || (now() - drawnAt < redrawMs && !isDone)) return;
      drawnAt = now();
      isDrawn = true;
      const text = [title, renderProgress(done, total), formatDuration(now() - startedAt), remark]
        .filter(Boolean)
        .join("  ");
      terminal.write(`\r\u001B[2K${cutText(text, (terminal.columns || 80) - 1)}`);
    },
    clear() {
      if (isDrawn) terminal.write("\r\u001B[2K");
      isDrawn = false;
    },
  };
}

/**
 * The bar itself.
 * @example renderProgress(50, 100) // "[############------------]  50 %  50 of 100"
 */
export function renderProgress(done: number, total: number | undefined): string {
  if (total === undefined || total <= 0) return groupDigits(done);
  const share = Math.min(1, done / total);
  const full = Math.floor(share * barWidth);
  const bar = "#".repeat(full) + "-".repeat(barWidth - full);
  return `[${bar}] ${String(Math.floor(share * 100)).padStart(3)} %  ${groupDigits(done)} of ${groupDigits(total)}`;
}

/** 1234567 as 1,234,567. */
export function groupDigits(number: number | bigint): string {
  return String(number).replace(/\B(?=(\d{3})+$)/g, ",");
}
