import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import { type LimitRow, listLimits, listPauses } from "@drover/db/query/limit";
import { DroverError } from "@drover/domain/error";
import { type LimitMetric, limitWindows, type LimitWindow } from "@drover/domain/rate-limit";
import {
  type Limit,
  LimitMetric as MetricNumber,
  type LimitRule,
  LimitSchema,
  type LimitService,
  LimitWindow as WindowNumber,
} from "@drover/proto/drover/limit";
import type { Deps } from "../operation/context.ts";
import { deleteLimit, limitNotFound } from "../operation/delete-limit.ts";
import { type LimitDraft, setLimit } from "../operation/set-limit.ts";
import { callerOf } from "./caller.ts";

/** drover.v1.LimitService. */
export function limitService(deps: Deps): ServiceImpl<typeof LimitService> {
  return {
    async setLimit({ rule }, context) {
      if (rule === undefined) throw new DroverError("invalid", "Expected a rule, got none.");
      await setLimit(deps, callerOf(context), draftOf(rule));
      const [row] = await listLimits(deps.db, rule.name);
      if (row === undefined) throw limitNotFound(rule.name);
      return { limit: limitMessage(row) };
    },
    async listLimits() {
      const [limits, pauses] = await Promise.all([listLimits(deps.db), listPauses(deps.db)]);
      return {
        limits: limits.map(limitMessage),
        pauses: pauses.map(({ provider, model, until_at }) => ({
          provider,
          model,
          until: timestampFromDate(until_at),
        })),
      };
    },
    async deleteLimit({ name }, context) {
      await deleteLimit(deps, callerOf(context), name);
      return {};
    },
  };
}

function draftOf(rule: LimitRule): LimitDraft {
  const metric = metrics.find(({ number }) => number === rule.metric)?.name;
  if (metric === undefined) throw new DroverError("invalid", "Expected a metric, got none.");
  return {
    name: rule.name,
    provider: rule.provider || undefined,
    model: rule.model || undefined,
    namespace: rule.namespace || undefined,
    workflow: rule.workflow || undefined,
    metric,
    window: windows.find(({ number }) => number === rule.window)?.name,
    allowance: rule.allowance,
  };
}

function limitMessage(row: LimitRow): Limit {
  const window = windows.find(({ name }) => limitWindows[name] === row.window_seconds);
  return create(LimitSchema, {
    rule: {
      name: row.name,
      provider: row.provider ?? "",
      model: row.model ?? "",
      namespace: row.namespace ?? "",
      workflow: row.workflow ?? "",
      metric: metrics.find(({ name }) => name === row.metric)?.number ?? MetricNumber.UNSPECIFIED,
      window: window?.number ?? WindowNumber.UNSPECIFIED,
      allowance: BigInt(row.allowance),
    },
    held: BigInt(row.held),
    used: BigInt(row.used),
    waiting: BigInt(row.waiting),
    updatedAt: timestampFromDate(row.updated_at),
  });
}

const metrics: readonly { name: LimitMetric; number: MetricNumber }[] = [
  { name: "requests", number: MetricNumber.REQUESTS },
  { name: "tokens", number: MetricNumber.TOKENS },
  { name: "concurrent", number: MetricNumber.CONCURRENT },
];

const windows: readonly { name: LimitWindow; number: WindowNumber }[] = [
  { name: "minute", number: WindowNumber.MINUTE },
  { name: "hour", number: WindowNumber.HOUR },
  { name: "day", number: WindowNumber.DAY },
];
