import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import { listBudgets } from "@drover/db/query/budget";
import { reportCosts, runCost, stepCosts, verifyLedger } from "@drover/db/query/ledger";
import { listPrices } from "@drover/db/query/price";
import { DroverError } from "@drover/domain/error";
import { formatRunId, parseRunId } from "@drover/domain/run-id";
import type { BudgetService } from "@drover/proto/drover/budget";
import type { Deps } from "../operation/context.ts";
import { budgetNotFound, deleteBudget } from "../operation/delete-budget.ts";
import { findRun } from "../operation/find-run.ts";
import { setBudget } from "../operation/set-budget.ts";
import { setPrice } from "../operation/set-price.ts";
import { budgetDraft, budgetMessage, costMessage, priceMessage, reportKeys, sumCosts } from "./budget-message.ts";
import { callerOf } from "./caller.ts";
import { dimensionsOf, spanOf } from "./report-request.ts";

/** drover.v1.BudgetService. */
export function budgetService(deps: Deps): ServiceImpl<typeof BudgetService> {
  return {
    async setBudget({ rule }, context) {
      if (rule === undefined) throw new DroverError("invalid", "Expected a rule, got none.");
      const caller = callerOf(context);
      await setBudget(deps, caller, budgetDraft(rule));
      const [row] = await listBudgets(deps.db, await deps.directory.namespaceId(caller.namespace), { name: rule.name });
      if (row === undefined) throw budgetNotFound(rule.name);
      return { budget: budgetMessage(row) };
    },
    async listBudgets({ runId }, context) {
      const namespaceId = await deps.directory.namespaceId(callerOf(context).namespace);
      const rows = await listBudgets(deps.db, namespaceId, runId === "" ? {} : { rootRunId: keyOf(runId) });
      return { budgets: rows.map(budgetMessage) };
    },
    async deleteBudget({ name }, context) {
      await deleteBudget(deps, callerOf(context), name);
      return {};
    },
    async verifyLedger() {
      return { differences: await verifyLedger(deps.db) };
    },
    async getReport(request, context) {
      const by = dimensionsOf(request);
      const span = spanOf(request, new Date());
      const maxRows = request.maxRows || 1000;
      const namespaceId = await deps.directory.namespaceId(callerOf(context).namespace);
      const rows = await reportCosts(deps.db, {
        ...span,
        by,
        limit: maxRows + 1,
        ...(!request.allNamespaces && { namespaceId }),
        ...(request.workflow !== "" && { workflow: request.workflow }),
        ...(request.runId !== "" && { rootRunId: keyOf(request.runId) }),
      });
      const page = rows.slice(0, maxRows);
      return {
        rows: page.map((row) => ({ keys: reportKeys(by, row.keys), cost: costMessage(row) })),
        total: sumCosts(page),
        from: timestampFromDate(span.from),
        to: timestampFromDate(span.to),
        isCut: rows.length > maxRows,
      };
    },
    async getRunCost({ runId }, context) {
      const caller = callerOf(context);
      const { key } = await findRun(deps, caller, runId);
      const namespaceId = await deps.directory.namespaceId(caller.namespace);
      const [costs, steps, budgets] = await Promise.all([
        runCost(deps.db, [key]),
        stepCosts(deps.db, key),
        listBudgets(deps.db, namespaceId, { rootRunId: key }),
      ]);
      const cost = costs.get(key);
      return {
        cost: costMessage(cost),
        heldNanos: BigInt(cost?.held_nanos ?? 0),
        steps: steps.map((step) => ({
          runId: step.run_id === null ? "" : formatRunId(step.run_id),
          step: step.step ?? "",
          cost: costMessage(step),
        })),
        budgets: budgets.map(budgetMessage),
      };
    },
    async setPrice({ price }, context) {
      if (price === undefined) throw new DroverError("invalid", "Expected a price, got none.");
      const row = await setPrice(deps, callerOf(context), {
        provider: price.provider,
        model: price.model,
        inputNanosPerMillion: price.inputNanos,
        outputNanosPerMillion: price.outputNanos,
        effectiveFrom: price.effectiveFrom && timestampDate(price.effectiveFrom),
      });
      return { price: priceMessage(row) };
    },
    async listPrices({ withHistory }) {
      return { prices: (await listPrices(deps.db, { isHistory: withHistory })).map(priceMessage) };
    },
  };
}

function keyOf(runId: string): string {
  const key = parseRunId(runId);
  if (key === undefined) {
    throw new DroverError("invalid", `Expected the id of a run such as ${formatRunId(0n)}, got "${runId}".`, {
      fields: [{ field: "run_id", message: "this is no id of a run" }],
    });
  }
  return key;
}
