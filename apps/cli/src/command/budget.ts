import { BudgetAction } from "@drover/proto/drover/budget";
import { budgetColumns, budgetJson, budgetRow, periodNumber } from "../budget-view.ts";
import { defineCommand } from "../command.ts";
import { changeEach } from "../each.ts";
import { notAnswered } from "../fault.ts";
import { choiceOption, moneyOption } from "../money-option.ts";
import { listOption, textOption } from "../option.ts";
import { usageError } from "../parse.ts";

/** `drover budget set` */
export const budgetSet = defineCommand({
  name: "budget set",
  summary: "Set what the calls of models may cost.",
  about:
    "What a call may cost at most is set aside before it is made, so that a budget is never overspent by calls that " +
    "keep to what was estimated. What a budget covers cannot change; its amount can.",
  positionals: [{ name: "NAME", doc: "Its name, in lower-case letters, digits, dots, - and _." }],
  options: {
    amount: moneyOption({ doc: "How much, in US dollars." }),
    per: choiceOption({
      doc: "Begin anew with every day or month of UTC; else it is spent once.",
      words: ["day", "month"],
    }),
    workflow: textOption({ doc: "Only calls of this workflow; else all of the namespace.", placeholder: "NAME" }),
    provider: textOption({ doc: "Only calls of this provider.", placeholder: "NAME" }),
    model: textOption({ doc: "Only calls of this model, or of those that begin like MODEL*.", placeholder: "MODEL" }),
    alert: listOption({
      doc: "Leave an event budget.alert when so many percent are spent.",
      placeholder: "PERCENT",
      expects: "a whole percentage from 1 to 1000",
      parse: (text) => (/^\d{1,4}$/.test(text) && Number(text) >= 1 && Number(text) <= 1000 ? Number(text) : undefined),
    }),
    else: choiceOption({ doc: "What becomes of a call that does not fit.", words: ["fail", "wait"] }),
  },
  examples: [
    {
      line: "drover budget set team --amount 20 --per day --alert 80 --alert 100",
      meaning: "20 dollars a day, with alerts",
    },
    {
      line: "drover budget set night --amount 5 --per day --workflow nightly --else wait",
      meaning: "Wait for tomorrow when it is spent",
    },
  ],
  async run({ client, output, signal }, { positionals: [name = ""], options }) {
    if (options.amount === undefined) {
      throw usageError("budget set", [{ field: "--amount", message: "Expected an amount in US dollars, got none." }]);
    }
    const rule = {
      name,
      limitNanos: options.amount,
      period: periodNumber(options.per),
      workflow: options.workflow ?? "",
      provider: options.provider ?? "",
      model: options.model ?? "",
      alertPercents: [...new Set(options.alert)],
      whenExceeded: options.else === "wait" ? BudgetAction.WAIT : BudgetAction.FAIL,
    };
    const { budget } = await client.budgets.setBudget({ rule }, { signal });
    if (budget === undefined) throw notAnswered("a budget");
    if (output.isJson) output.json(budgetJson(budget));
    else output.table(budgetColumns, [budgetRow(budget)]);
    return 0;
  },
});

/** `drover budget list` */
export const budgetList = defineCommand({
  name: "budget list",
  summary: "List the budgets of the namespace, or those of a run, with what is spent.",
  positionals: [],
  options: { run: textOption({ doc: "Those of this run and its steps.", placeholder: "ID" }) },
  examples: [{ line: "drover budget list", meaning: "See what is left" }],
  async run({ client, output, signal }, { options }) {
    const { budgets } = await client.budgets.listBudgets({ runId: options.run ?? "" }, { signal });
    if (output.isJson) output.json(budgets.map(budgetJson));
    else if (budgets.length === 0) output.note("There are no budgets. Try: drover budget set --help");
    else output.table(budgetColumns, budgets.map(budgetRow));
    return 0;
  },
});

/** `drover budget delete` */
export const budgetDelete = defineCommand({
  name: "budget delete",
  summary: "Delete budgets; calls that waited for them are looked at again.",
  positionals: [{ name: "NAME", doc: "The budget.", isRepeatable: true }],
  options: {},
  examples: [{ line: "drover budget delete night", meaning: "Delete a budget" }],
  run: (context, { positionals }) =>
    changeEach(context, positionals, async (name) => {
      await context.client.budgets.deleteBudget({ name }, { signal: context.signal });
      return { state: "deleted", text: "deleted" };
    }),
});

/** `drover budget verify` */
export const budgetVerify = defineCommand({
  name: "budget verify",
  summary: "Rebuild every counter of limits and budgets from the ledger and compare; exit code 1 when any differs.",
  positionals: [],
  options: {},
  examples: [{ line: "drover budget verify", meaning: "Check that the books agree" }],
  async run({ client, output, signal }) {
    // It reads the whole ledger, which may be years of it.
    const { differences } = await client.budgets.verifyLedger({}, { signal, timeoutMs: 0 });
    if (output.isJson) {
      output.json(
        differences.map(({ kind, name, counter, expected, actual }) => ({ kind, name, counter, expected, actual })),
      );
    } else if (differences.length === 0) {
      output.line("Every counter is what the ledger says.");
    } else {
      output.table(
        [
          { heading: "KIND" },
          { heading: "NAME" },
          { heading: "COUNTER" },
          { heading: "LEDGER", align: "right" },
          { heading: "COUNTED", align: "right" },
        ],
        differences.map(({ kind, name, counter, expected, actual }) => [kind, name, counter, expected, actual]),
      );
    }
    return differences.length === 0 ? 0 : 1;
  },
});
