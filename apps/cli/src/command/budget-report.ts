import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { reportPeriods, type ReportPeriod as PeriodWord } from "@drover/domain/budget";
import { formatDollars } from "@drover/domain/money";
import { type GetReportResponse, ReportDimension, ReportPeriod } from "@drover/proto/drover/budget";
import { defineCommand } from "../command.ts";
import { costCells, costColumns, costJson, gpuSeconds } from "../cost-view.ts";
import { choiceOption } from "../money-option.ts";
import { flagOption, momentOption, textOption, wordsOption } from "../option.ts";
import type { Column } from "../table.ts";

const dimensionWords = ["namespace", "workflow", "run", "step", "provider", "model", "day", "week", "month"] as const;

/** `drover budget report` */
export const budgetReport = defineCommand({
  name: "budget report",
  summary: "Report cost, tokens, calls and GPU time of a period, the dearest first.",
  positionals: [],
  options: {
    by: wordsOption({ doc: "What to divide it by; may be several.", words: dimensionWords }),
    period: choiceOption({ doc: "The days of UTC to report of; without any time: this month.", words: reportPeriods }),
    from: momentOption({ doc: "Instead of a period: from this time." }),
    to: momentOption({ doc: "Up to this time; else now." }),
    workflow: textOption({ doc: "Only of this workflow.", placeholder: "NAME" }),
    run: textOption({ doc: "Only of this run, with everything nested in it.", placeholder: "ID" }),
    "all-namespaces": flagOption({ doc: "Of the whole installation." }),
    format: choiceOption({ doc: "How to write it; else a table.", words: ["table", "csv", "json"] }),
  },
  examples: [
    { line: "drover budget report --by model,day --period last_7_days", meaning: "What each model cost on each day" },
    {
      line: "drover budget report --by workflow --period this_month --format csv > cost.csv",
      meaning: "For a spreadsheet",
    },
  ],
  async run({ client, output, signal }, { options }) {
    const { by, period, from, to } = options;
    const answer = await client.budgets.getReport(
      {
        by: by.map((word) => dimensions[word]),
        period: period === undefined ? (from ? ReportPeriod.UNSPECIFIED : ReportPeriod.THIS_MONTH) : periods[period],
        ...(from && { from: timestampFromDate(from) }),
        ...(to && { to: timestampFromDate(to) }),
        workflow: options.workflow ?? "",
        runId: options.run ?? "",
        allNamespaces: options["all-namespaces"],
        maxRows: 10_000,
      },
      { signal },
    );
    if (output.isJson || options.format === "json") output.json(reportJson(answer, by));
    else if (options.format === "csv") csvLines(answer, by).forEach((line) => output.line(line));
    else output.table(columns(by), tableRows(answer, by));
    if (answer.isCut) output.complain("There are more rows; shown are the dearest 10,000. Choose a shorter period.");
    return 0;
  },
});

const dimensions = {
  namespace: ReportDimension.NAMESPACE,
  workflow: ReportDimension.WORKFLOW,
  run: ReportDimension.RUN,
  step: ReportDimension.STEP,
  provider: ReportDimension.PROVIDER,
  model: ReportDimension.MODEL,
  day: ReportDimension.DAY,
  week: ReportDimension.WEEK,
  month: ReportDimension.MONTH,
} as const;

const periods: Record<PeriodWord, ReportPeriod> = {
  today: ReportPeriod.TODAY,
  yesterday: ReportPeriod.YESTERDAY,
  last_7_days: ReportPeriod.LAST_7_DAYS,
  last_30_days: ReportPeriod.LAST_30_DAYS,
  this_month: ReportPeriod.THIS_MONTH,
};

function columns(by: readonly string[]): Column[] {
  const headings = by.map((word) => ({ heading: word.toUpperCase() }));
  return [...headings, ...costColumns];
}

function tableRows({ rows, total }: GetReportResponse, by: readonly string[]): string[][] {
  const lines =
    by.length === 0 ? [] : rows.map(({ keys, cost }) => [...keys.map((key) => key || "-"), ...costCells(cost)]);
  const labels = by.map((_, index) => (index === 0 ? "total" : ""));
  return [...lines, [...labels, ...costCells(total)]];
}

function reportJson({ rows, total, from, to }: GetReportResponse, by: readonly string[]): unknown {
  return {
    from: from && timestampDate(from).toISOString(),
    to: to && timestampDate(to).toISOString(),
    rows: rows.map(({ keys, cost }) => ({
      ...Object.fromEntries(by.map((word, index) => [word, keys[index] || null])),
      ...costJson(cost),
    })),
    total: costJson(total),
  };
}

function csvLines({ rows }: GetReportResponse, by: readonly string[]): string[] {
  const head = [...by, "calls", "input_tokens", "output_tokens", "cost_usd", "gpu_seconds"];
  return [
    head.join(","),
    ...rows.map(({ keys, cost }) =>
      [
        ...keys.map(csvField),
        cost?.calls,
        cost?.inputTokens,
        cost?.outputTokens,
        formatDollars(cost?.costNanos ?? 0n),
        gpuSeconds(cost),
      ].join(","),
    ),
  ];
}

/** Quoted where it must be; a beginning that a spreadsheet takes for a formula is made a text. */
function csvField(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
