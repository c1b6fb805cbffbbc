import { DroverError } from "@drover/domain/error";
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";

import { within } from "./deadline.ts";
import { markdownTable } from "./markdown.ts";

/** One metric of an app, as its table of metrics declares it. */
export interface MetricDeclaration {
  /** snake_case with the unit: a counter ends in `_total`. */
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  /** Names of bounded sets only: never ids. */
  readonly labels?: readonly string[];
  /** Upper bounds of a histogram, ascending. */
  readonly buckets?: readonly number[];
}

export type MetricDeclarations = Readonly<Record<string, MetricDeclaration>>;

type LabelOf<D extends MetricDeclaration> = D["labels"] extends readonly (infer L extends string)[] ? L : never;
type HandleOf<D extends MetricDeclaration> = D["type"] extends "counter"
  ? Counter<LabelOf<D>>
  : D["type"] extends "gauge"
    ? Gauge<LabelOf<D>>
    : Histogram<LabelOf<D>>;

export interface Metrics<D extends MetricDeclarations> {
  /** A handle for each declared metric, under the name by which the code knows it. */
  readonly handles: { readonly [K in keyof D]: HandleOf<D[K]> };
  /** The type to answer /metrics with. */
  readonly contentType: string;
  /** Everything in Prometheus's text format 0.0.4. */
  expose(): Promise<string>;
  /** The same as numbers by series: `name` or `name{label="value"}`. */
  series(): Promise<Record<string, number>>;
}

export interface MetricsOptions<D extends MetricDeclarations> {
  declarations: D;
  /** Sets gauges that are only known by asking, before each exposition; exposed at the same time share one call. */
  collect?: (handles: Metrics<D>["handles"]) => Promise<void>;
  /** How long the exposition waits for collect; then it shows the values from before. */
  collectMs?: number;
  /** Told when collect fails or is late; the rest is exposed all the same. */
  onFault?: (error: unknown) => void;
  /** Whether to add the metrics of the process itself, with the prefix `drover_`. */
  hasProcessMetrics?: boolean;
}

/** Makes the metrics of an app from their declarations, in a registry of its own. */
export function createMetrics<const D extends MetricDeclarations>({
  declarations,
  collect = async () => {},
  collectMs = 2_000,
  onFault = () => {},
  hasProcessMetrics = true,
}: MetricsOptions<D>): Metrics<D> {
  const registry = new Registry();
  if (hasProcessMetrics) collectDefaultMetrics({ register: registry, prefix: "drover_" });
  // The one cast: each handle is made by the declaration of its own key.
  const handles = Object.fromEntries(
    Object.entries(declarations).map(([key, declaration]) => [key, createHandle(declaration, registry)]),
  ) as Metrics<D>["handles"];

  let collecting: Promise<void> | undefined;
  const refresh = async (): Promise<void> => {
    collecting ??= (async () => collect(handles))().finally(() => (collecting = undefined));
    try {
      await within(collecting, { deadline: AbortSignal.timeout(collectMs), what: "the metrics to be collected" });
    } catch (error) {
      onFault(error);
    }
  };
  const expose = async (): Promise<string> => {
    await refresh();
    return registry.metrics();
  };
  return { handles, contentType: registry.contentType, expose, series: async () => seriesOf(await expose()) };
}

function createHandle(
  { name, type, help, labels = [], buckets }: MetricDeclaration,
  registry: Registry,
): Counter | Gauge | Histogram {
  // Gauges may end in _total too: the compatible interfaces promise some, such as workflows_total.
  if (!/^[a-z][a-z0-9_]*$/.test(name) || (type === "counter" && !name.endsWith("_total"))) {
    throw new DroverError(
      "internal",
      `Expected a snake_case name, for a counter with _total at its end, got ${type} ${name}. Rename it.`,
    );
  }
  const shape = { name, help, labelNames: [...labels], registers: [registry] };
  if (type === "counter") return new Counter(shape);
  if (type === "gauge") return new Gauge(shape);
  return new Histogram({ ...shape, ...(buckets && { buckets: [...buckets] }) });
}

/** The series of an exposition: each line is a series, a blank, a number. */
function seriesOf(exposition: string): Record<string, number> {
  const lines = exposition.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return Object.fromEntries(
    lines.map((line) => {
      const blank = line.lastIndexOf(" ");
      return [line.slice(0, blank), numberOf(line.slice(blank + 1))];
    }),
  );
}

function numberOf(text: string): number {
  if (text === "+Inf") return Infinity;
  return text === "-Inf" ? -Infinity : Number(text);
}

/** The metrics of an app as a markdown table for its docs. */
export function metricTable(declarations: MetricDeclarations): string {
  const code = (names: readonly string[]) => names.map((name) => `\`${name}\``).join(", ");
  const rows = Object.values(declarations).map(({ name, type, help, labels = [] }) => [
    code([name]),
    type,
    code(labels),
    help,
  ]);
  return markdownTable(["Metric", "Type", "Labels", "Meaning"], rows);
}
