import { formatDollars, formatMoney } from "@drover/domain/money";
import type { Budget, GetRunCostResponse } from "@drover/proto/drover/budget";
import { budgetJson } from "../budget-view.ts";
import { defineCommand } from "../command.ts";
import { costCells, costColumns, costJson } from "../cost-view.ts";
import { notAnswered } from "../fault.ts";

/** `drover run cost` */
export const runCost = defineCommand({
  name: "run cost",
  summary: "Show what a run has cost, by step, with everything nested in it.",
  about: "Calls of models are paid for when they end; what is set aside for those under way is told beside it.",
  positionals: [{ name: "RUN", doc: "The run." }],
  options: {},
  examples: [{ line: "drover run cost run-000655a1b2c3d4e5", meaning: "Tokens, dollars and GPU time of each step" }],
  async run({ client, output, signal }, { positionals: [id = ""] }) {
    // Costs are kept by the number of a run, whether or not there is one: this call refuses where there is none.
    const { run } = await client.runs.getRun({ id }, { signal });
    if (run === undefined) throw notAnswered("a run");
    const answer = await client.budgets.getRunCost({ runId: id }, { signal });
    if (output.isJson) {
      output.json(costDocument(id, answer));
      return 0;
    }
    const hasNested = answer.steps.some(({ runId }) => runId !== id);
    output.table(
      [{ heading: "STEP", isFlexible: true }, ...(hasNested ? [{ heading: "RUN" }] : []), ...costColumns],
      [
        ...answer.steps.map(({ step, runId, cost }) => [
          step || "-",
          ...(hasNested ? [runId] : []),
          ...costCells(cost),
        ]),
        ["total", ...(hasNested ? [""] : []), ...costCells(answer.cost)],
      ],
    );
    if (answer.heldNanos > 0n) output.line(`\n${formatMoney(answer.heldNanos)} more is set aside for calls under way.`);
    const lines = answer.budgets.map(budgetLine);
    if (lines.length > 0) output.line("");
    lines.forEach((line) => output.line(line));
    return 0;
  },
});

function budgetLine({ rule, step, spentNanos, heldNanos }: Budget): string {
  const limit = rule?.limitNanos ?? 0n;
  const name = step === "" ? "The run's budget" : `The budget of step ${step}`;
  return `${name}: ${formatMoney(spentNanos + heldNanos)} of ${formatMoney(limit)}.`;
}

function costDocument(id: string, { cost, heldNanos, steps, budgets }: GetRunCostResponse): unknown {
  return {
    run: id,
    ...costJson(cost),
    heldUsd: formatDollars(heldNanos),
    steps: steps.map((step) => ({ run: step.runId, step: step.step, ...costJson(step.cost) })),
    budgets: budgets.map(budgetJson),
  };
}
