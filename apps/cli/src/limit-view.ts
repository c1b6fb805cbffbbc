import { timestampDate } from "@bufbuild/protobuf/wkt";
import {
  type LimitMetric as MetricWord,
  limitMetrics,
  limitWindows,
  type LimitWindow as WindowWord,
} from "@drover/domain/rate-limit";
import { type Limit, LimitMetric, LimitWindow, type ProviderPause } from "@drover/proto/drover/limit";
import { groupDigits } from "./progress.ts";
import type { Cell, Column } from "./table.ts";

export const limitColumns: Column[] = [
  { heading: "LIMIT" },
  { heading: "ALLOWS" },
  { heading: "OF", isFlexible: true },
  { heading: "USED", align: "right" },
  { heading: "HELD", align: "right" },
  { heading: "WAITING", align: "right" },
];

/** A limit for programs. */
export function limitJson({ rule, held, used, waiting, updatedAt }: Limit): Record<string, unknown> {
  return {
    name: rule?.name,
    metric: rule && metricWord(rule.metric),
    window: (rule && windowWord(rule.window)) ?? null,
    allowance: Number(rule?.allowance),
    provider: rule?.provider || null,
    model: rule?.model || null,
    namespace: rule?.namespace || null,
    workflow: rule?.workflow || null,
    used: Number(used),
    held: Number(held),
    waiting: Number(waiting),
    updatedAt: updatedAt === undefined ? null : timestampDate(updatedAt).toISOString(),
  };
}

/** A limit as a row. */
export function limitRow({ rule, held, used, waiting }: Limit): (Cell | string)[] {
  const isFull = rule !== undefined && held + used >= rule.allowance;
  return [
    rule?.name ?? "",
    rule === undefined ? "" : allows(rule.allowance, metricWord(rule.metric), windowWord(rule.window)),
    scopeText(rule ?? {}),
    {
      text: rule?.metric === LimitMetric.CONCURRENT ? "-" : groupDigits(used),
      ...(isFull && { color: "yellow" as const }),
    },
    groupDigits(held),
    groupDigits(waiting),
  ];
}

/** A pause for programs. */
export function pauseJson({ provider, model, until }: ProviderPause): Record<string, unknown> {
  return { provider, model, until: until === undefined ? null : timestampDate(until).toISOString() };
}

/** What a limit or budget covers: `provider openai, model gpt-4*`. */
export function scopeText({
  provider = "",
  model = "",
  namespace = "",
  workflow = "",
}: {
  provider?: string;
  model?: string;
  namespace?: string;
  workflow?: string;
}): string {
  const parts = Object.entries({ provider, model, namespace, workflow }).filter(([, value]) => value !== "");
  return parts.length === 0 ? "all calls" : parts.map(([name, value]) => `${name} ${value}`).join(", ");
}

/** The number of a window's word. */
export function windowNumber(word: WindowWord | undefined): LimitWindow {
  return word === undefined ? LimitWindow.UNSPECIFIED : windows[word];
}

function allows(allowance: bigint, metric: MetricWord | undefined, window: WindowWord | undefined): string {
  if (metric === "concurrent") return `${groupDigits(allowance)} at once`;
  return `${groupDigits(allowance)} ${metric ?? ""} per ${window ?? "?"}`;
}

const windows: Record<WindowWord, LimitWindow> = {
  minute: LimitWindow.MINUTE,
  hour: LimitWindow.HOUR,
  day: LimitWindow.DAY,
};

/** The words of the windows. */
export const windowWords = Object.keys(limitWindows) as WindowWord[];

function windowWord(number: LimitWindow): WindowWord | undefined {
  return windowWords.find((word) => windows[word] === number);
}

function metricWord(number: LimitMetric): MetricWord | undefined {
  return limitMetrics.find((word) => metrics[word] === number);
}

const metrics: Record<MetricWord, LimitMetric> = {
  requests: LimitMetric.REQUESTS,
  tokens: LimitMetric.TOKENS,
  concurrent: LimitMetric.CONCURRENT,
};
