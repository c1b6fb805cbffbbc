import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { formatDollars } from "@drover/domain/money";
import type { Price } from "@drover/proto/drover/budget";
import { defineCommand } from "../command.ts";
import { notAnswered } from "../fault.ts";
import { moneyOption } from "../money-option.ts";
import { flagOption, momentOption } from "../option.ts";
import { usageError } from "../parse.ts";
import type { Column } from "../table.ts";

/** `drover price set` */
export const priceSet = defineCommand({
  name: "price set",
  summary: "Set what a million tokens of a model cost, from a time on.",
  about:
    "Prices are kept: what was charged stays charged. A call costs what the price of its provider says, else that of any " +
    "provider (*); an exact model comes before MODEL*, a longer beginning before a shorter one.",
  positionals: [
    { name: "PROVIDER", doc: "The provider, or * for any." },
    { name: "MODEL", doc: "The model, or a beginning followed by *." },
  ],
  options: {
    input: moneyOption({ doc: "A million tokens of input." }),
    output: moneyOption({ doc: "A million tokens of output." }),
    from: momentOption({ doc: "From this time on; else from now." }),
  },
  examples: [
    { line: "drover price set openai 'gpt-5*' --input 1.25 --output 10", meaning: "From now on" },
    { line: "drover price set my-vllm '*' --input 0 --output 0", meaning: "Models of your own cost nothing" },
  ],
  async run({ client, output, signal }, { positionals: [provider = "", model = ""], options }) {
    const { input, output: outputPrice, from } = options;
    if (input === undefined || outputPrice === undefined) {
      const field = input === undefined ? "--input" : "--output";
      throw usageError("price set", [{ field, message: "Expected both prices, --input and --output, got not both." }]);
    }
    const { price } = await client.budgets.setPrice(
      {
        price: {
          provider,
          model,
          inputNanos: input,
          outputNanos: outputPrice,
          ...(from && { effectiveFrom: timestampFromDate(from) }),
        },
      },
      { signal },
    );
    if (price === undefined) throw notAnswered("a price");
    if (output.isJson) output.json(priceJson(price));
    else output.table(columns, [priceRow(price)]);
    return 0;
  },
});

/** `drover price list` */
export const priceList = defineCommand({
  name: "price list",
  summary: "List the prices of models, in US dollars for a million tokens.",
  positionals: [],
  options: { history: flagOption({ doc: "Also those that are past or to come." }) },
  examples: [{ line: "drover price list", meaning: "Check them against what your provider asks for" }],
  async run({ client, output, signal }, { options }) {
    const { prices } = await client.budgets.listPrices({ withHistory: options.history }, { signal });
    if (output.isJson) output.json(prices.map(priceJson));
    else output.table(columns, prices.map(priceRow));
    return 0;
  },
});

const columns: Column[] = [
  { heading: "PROVIDER" },
  { heading: "MODEL" },
  { heading: "INPUT", align: "right" },
  { heading: "OUTPUT", align: "right" },
  { heading: "FROM" },
  { heading: "SET BY" },
];

function priceRow({ provider, model, inputNanos, outputNanos, effectiveFrom, actor }: Price): string[] {
  const from =
    effectiveFrom === undefined ? "" : `${timestampDate(effectiveFrom).toISOString().slice(0, 19).replace("T", " ")}Z`;
  return [provider, model, formatDollars(inputNanos), formatDollars(outputNanos), from, actor];
}

function priceJson({ provider, model, inputNanos, outputNanos, effectiveFrom, actor }: Price): Record<string, unknown> {
  return {
    provider,
    model,
    inputUsdPerMillion: formatDollars(inputNanos),
    outputUsdPerMillion: formatDollars(outputNanos),
    effectiveFrom: effectiveFrom === undefined ? null : timestampDate(effectiveFrom).toISOString(),
    actor,
  };
}
