import type { Cost, Figure } from "./figure.ts";
import { median } from "./measure.ts";
import { judge, type Row, toFloor, toPeer } from "./target.ts";

export interface Machine {
  date: string;
  cores: number;
  model: string;
  node: string;
  postgres: string;
  contestants: Record<string, string>;
}

export interface Result extends Row {
  costs: Map<string, Cost>;
  notes: string[];
}

/** The median of each contestant in each metric, over the rounds. */
export function summarise(figures: readonly Figure[]): Result[] {
  return [...Map.groupBy(figures, (figure) => figure.metric)].map(([metric, all]) => {
    const byContestant = Map.groupBy(all, (figure) => figure.contestant);
    const costs = new Map<string, Cost>();
    for (const [name, own] of byContestant) {
      const known = own.flatMap(({ cost }) => (cost === undefined ? [] : [cost]));
      if (known.length === 0) continue;
      const middle = (key: keyof Cost) => median(known.map((cost) => cost[key]));
      costs.set(name, {
        postgresCpuMicros: middle("postgresCpuMicros"),
        clientCpuMicros: middle("clientCpuMicros"),
        walBytes: middle("walBytes"),
        transactions: middle("transactions"),
      });
    }
    return {
      metric,
      unit: all[0]?.unit ?? "",
      values: new Map([...byContestant].map(([name, own]) => [name, median(own.map((figure) => figure.value))])),
      costs,
      notes: all.flatMap(({ note, contestant }) => (note === undefined ? [] : [`${contestant}: ${note}`])),
    };
  });
}

/** The report for people. */
export function formatReport(machine: Machine, results: readonly Result[]): string {
  const { date, cores, model, node, postgres, contestants } = machine;
  return [
    `${date}, ${cores} cores, ${model}, Node ${node}, PostgreSQL ${postgres} (embedded, durable, shared_buffers 1 GB)`,
    ...Object.entries(contestants).map(([name, settings]) => `${name}: ${settings}`),
    "",
    formatTable(
      ["metric", "unit", "drover", "floor", "graphile-worker", "pg-boss", "dbos", "/ floor", "/ best peer", "target"],
      results.flatMap(formatResult),
    ),
    "",
    "Cost of one job or step, and Drover's over that of the cheapest peer:",
    formatTable(
      ["metric", "contestant", "Postgres us", "client us", "WAL bytes", "transactions"],
      results.flatMap(formatCosts),
    ),
  ].join("\n");
}

/** The report for programs. */
export function toJson(machine: Machine, results: readonly Result[]): string {
  return JSON.stringify(
    {
      ...machine,
      results: results.map((result) => ({
        metric: result.metric,
        unit: result.unit,
        values: Object.fromEntries(result.values),
        toFloor: finite(toFloor(result)),
        toPeer: finite(toPeer(result)),
        targets: judge(result),
        costs: Object.fromEntries(result.costs),
        notes: result.notes,
      })),
    },
    undefined,
    2,
  );
}

function formatResult(result: Result): string[][] {
  const value = (name: string) => formatNumber(result.values.get(name));
  const verdicts = judge(result).map(({ target, isMet }) => `${target}: ${isMet ? "met" : "NOT MET"}`);
  const [first = "", ...more] = verdicts;
  return [
    [
      result.metric,
      result.unit,
      value("drover"),
      value("floor"),
      value("graphile-worker"),
      value("pg-boss"),
      value("dbos"),
      formatRatio(toFloor(result)),
      formatRatio(toPeer(result)),
      first,
    ],
    ...more.map((verdict) => [...Array.from({ length: 9 }, () => ""), verdict]),
  ];
}

function formatCosts(result: Result): string[][] {
  const keys = ["postgresCpuMicros", "clientCpuMicros", "walBytes", "transactions"] as const;
  const lines = [...result.costs].map(([name, cost]) => [
    result.metric,
    name,
    ...keys.map((key) => formatNumber(cost[key])),
  ]);
  const own = result.costs.get("drover");
  const peers = [...result.costs].filter(([name]) => name !== "drover" && name !== "floor").map(([, cost]) => cost);
  if (own === undefined || peers.length === 0) return lines;
  const over = keys.map((key) => formatRatio(own[key] / Math.min(...peers.map((cost) => cost[key]))));
  return [...lines, ["", "drover / cheapest peer", ...over]];
}

function formatTable(head: string[], lines: string[][]): string {
  const widths = head.map((title, column) => Math.max(title.length, ...lines.map((line) => line[column]?.length ?? 0)));
  const format = (line: string[]) =>
    line
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join("  ")
      .trimEnd();
  return [format(head), widths.map((width) => "-".repeat(width)).join("  "), ...lines.map(format)].join("\n");
}

function formatNumber(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return "";
  if (value >= 100) return Math.round(value).toLocaleString("en");
  return value.toFixed(value >= 10 ? 1 : value >= 0.1 ? 2 : 3);
}

function formatRatio(value: number): string {
  return Number.isFinite(value) ? value.toFixed(2) : "";
}

function finite(value: number): number | undefined {
  return Number.isFinite(value) ? value : undefined;
}
