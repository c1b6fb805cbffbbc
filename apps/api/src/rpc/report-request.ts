import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { ReportDimension } from "@drover/db/query/ledger";
import { type ReportPeriod, reportSpan } from "@drover/domain/budget";
import { DroverError } from "@drover/domain/error";
import {
  type GetReportRequest,
  ReportDimension as DimensionNumber,
  ReportPeriod as PeriodNumber,
} from "@drover/proto/drover/budget";

/** The span that a report is asked for: a period by name, or from and to. */
export function spanOf({ period, from, to }: GetReportRequest, now: Date): { from: Date; to: Date } {
  const named = periods[period];
  if (named !== undefined && (from !== undefined || to !== undefined)) throw spanFault("both", "period");
  if (named !== undefined) return reportSpan(named, now);
  if (from === undefined) throw spanFault("none", "from");
  const span = { from: timestampDate(from), to: to === undefined ? now : timestampDate(to) };
  if (span.from >= span.to) {
    const message = `Expected a beginning before the end, got ${span.from.toISOString()} to ${span.to.toISOString()}.`;
    throw new DroverError("invalid", message, { fields: [{ field: "from", message }] });
  }
  return span;
}

/** What a report is divided by. */
export function dimensionsOf({ by }: GetReportRequest): ReportDimension[] {
  return by.flatMap((number) => dimensions[number] ?? []);
}

function spanFault(got: string, field: string): DroverError {
  const message = `Expected a period by name, or the times from and to, got ${got}.`;
  return new DroverError("invalid", message, { fields: [{ field, message }] });
}

const periods: Record<PeriodNumber, ReportPeriod | undefined> = {
  [PeriodNumber.UNSPECIFIED]: undefined,
  [PeriodNumber.TODAY]: "today",
  [PeriodNumber.YESTERDAY]: "yesterday",
  [PeriodNumber.LAST_7_DAYS]: "last_7_days",
  [PeriodNumber.LAST_30_DAYS]: "last_30_days",
  [PeriodNumber.THIS_MONTH]: "this_month",
};

const dimensions: Record<DimensionNumber, ReportDimension | undefined> = {
  [DimensionNumber.UNSPECIFIED]: undefined,
  [DimensionNumber.NAMESPACE]: "namespace",
  [DimensionNumber.WORKFLOW]: "workflow",
  [DimensionNumber.RUN]: "run",
  [DimensionNumber.STEP]: "step",
  [DimensionNumber.PROVIDER]: "provider",
  [DimensionNumber.MODEL]: "model",
  [DimensionNumber.DAY]: "day",
  [DimensionNumber.WEEK]: "week",
  [DimensionNumber.MONTH]: "month",
};
