import { LimitMetric } from "@drover/proto/drover/limit";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { defineCommand } from "../command.ts";
import { changeEach } from "../each.ts";
import { notAnswered } from "../fault.ts";
import { limitColumns, limitJson, limitRow, pauseJson, windowNumber, windowWords } from "../limit-view.ts";
import { choiceOption } from "../money-option.ts";
import { integerOption, textOption } from "../option.ts";
import { usageError } from "../parse.ts";

const most = 1_000_000_000_000;

/** `drover limit set` */
export const limitSet = defineCommand({
  name: "limit set",
  summary: "Limit the calls of models, over all nodes: requests or tokens per time, or calls at once.",
  about:
    "A call is measured against every limit that it falls under, and waits until it fits into all of them. Setting a " +
    "limit again replaces it as a whole; what it has counted stays counted.",
  positionals: [{ name: "NAME", doc: "Its name, in lower-case letters, digits, dots, - and _." }],
  options: {
    requests: integerOption({ doc: "Allow so many requests per time.", min: 0, max: most }),
    tokens: integerOption({ doc: "Allow so many tokens per time, input and output together.", min: 0, max: most }),
    concurrent: integerOption({ doc: "Allow so many calls at once.", min: 0, max: most }),
    per: choiceOption({ doc: "The time.", words: windowWords }),
    provider: textOption({ doc: "Only calls of this provider.", placeholder: "NAME" }),
    model: textOption({ doc: "Only calls of this model, or of those that begin like MODEL*.", placeholder: "MODEL" }),
    of: textOption({ doc: "Only calls of this namespace.", placeholder: "NAMESPACE" }),
    workflow: textOption({ doc: "Only calls of this workflow.", placeholder: "NAME" }),
  },
  examples: [
    {
      line: "drover limit set openai-tpm --tokens 100000 --per minute --provider openai",
      meaning: "100,000 tokens a minute",
    },
    { line: "drover limit set big --concurrent 4 --model 'gpt-5*'", meaning: "Four calls of large models at once" },
  ],
  async run({ client, output, signal }, { positionals: [name = ""], options }) {
    const given = metrics.filter(({ flag }) => options[flag] !== undefined);
    const [metric] = given;
    if (metric === undefined || given.length > 1) {
      throw usageError("limit set", [
        { field: "--tokens", message: `Expected one of --requests, --tokens and --concurrent, got ${given.length}.` },
      ]);
    }
    const rule = {
      name,
      metric: metric.number,
      allowance: BigInt(options[metric.flag] ?? 0),
      window: windowNumber(options.per),
      provider: options.provider ?? "",
      model: options.model ?? "",
      namespace: options.of ?? "",
      workflow: options.workflow ?? "",
    };
    const { limit } = await client.limits.setLimit({ rule }, { signal });
    if (limit === undefined) throw notAnswered("a limit");
    if (output.isJson) output.json(limitJson(limit));
    else output.table(limitColumns, [limitRow(limit)]);
    return 0;
  },
});

/** `drover limit list` */
export const limitList = defineCommand({
  name: "limit list",
  summary: "List the limits with what counts against each now, and the models that their providers hold back.",
  positionals: [],
  options: {},
  examples: [{ line: "drover limit list", meaning: "See what calls wait for" }],
  async run({ client, output, signal }) {
    const { limits, pauses } = await client.limits.listLimits({}, { signal });
    if (output.isJson) {
      output.json({ limits: limits.map(limitJson), pauses: pauses.map(pauseJson) });
      return 0;
    }
    if (limits.length === 0) output.note("There are no limits. Try: drover limit set --help");
    else output.table(limitColumns, limits.map(limitRow));
    for (const { provider, model, until } of pauses) {
      const time = until === undefined ? "" : ` until ${timestampDate(until).toISOString()}`;
      output.note(`${provider} takes no calls of ${model}${time}.`);
    }
    return 0;
  },
});

/** `drover limit delete` */
export const limitDelete = defineCommand({
  name: "limit delete",
  summary: "Delete limits; calls that waited for them are looked at again.",
  positionals: [{ name: "NAME", doc: "The limit.", isRepeatable: true }],
  options: {},
  examples: [{ line: "drover limit delete openai-tpm", meaning: "Delete a limit" }],
  run: (context, { positionals }) =>
    changeEach(context, positionals, async (name) => {
      await context.client.limits.deleteLimit({ name }, { signal: context.signal });
      return { state: "deleted", text: "deleted" };
    }),
});

const metrics = [
  { flag: "requests", number: LimitMetric.REQUESTS },
  { flag: "tokens", number: LimitMetric.TOKENS },
  { flag: "concurrent", number: LimitMetric.CONCURRENT },
] as const;
