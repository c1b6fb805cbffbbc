import { formatDollars } from "@drover/domain/money";
import type { Cost } from "@drover/proto/drover/budget";
import { groupDigits } from "./progress.ts";
import type { Column } from "./table.ts";

/** What calls of models used and cost, as columns. */
export const costColumns: Column[] = ["CALLS", "INPUT", "OUTPUT", "USD", "GPU SECONDS"].map((heading) => ({
  heading,
  align: "right",
}));

/** The cells below them. */
export function costCells(cost: Cost | undefined): string[] {
  return [
    groupDigits(cost?.calls ?? 0n),
    groupDigits(cost?.inputTokens ?? 0n),
    groupDigits(cost?.outputTokens ?? 0n),
    formatDollars(cost?.costNanos ?? 0n),
    gpuSeconds(cost),
  ];
}

/** A cost for programs; the amount is a text, so that it is not rounded. */
export function costJson(cost: Cost | undefined): Record<string, unknown> {
  return {
    calls: Number(cost?.calls ?? 0),
    inputTokens: Number(cost?.inputTokens ?? 0),
    outputTokens: Number(cost?.outputTokens ?? 0),
    costUsd: formatDollars(cost?.costNanos ?? 0n),
    gpuSeconds: Number(cost?.gpuMs ?? 0) / 1000,
  };
}

/** The time of GPUs in seconds. */
export function gpuSeconds(cost: Cost | undefined): string {
  return (Number(cost?.gpuMs ?? 0n) / 1000).toFixed(3).replace(/\.?0+$/, "");
}
