import { classColumns, classJson, classRow, showChangedClass } from "../class-view.ts";
import { defineCommand } from "../command.ts";
import { usageError } from "../parse.ts";
import { integerOption, textOption } from "../option.ts";

const maxLimit = 2_147_483_647;
const name = { name: "NAME", doc: "The class." };

/** `drover class list` */
export const classList = defineCommand({
  name: "class list",
  summary: "List the classes, with what runs and waits in each.",
  positionals: [],
  options: {},
  examples: [{ line: "drover class list", meaning: "See where work piles up" }],
  async run({ client, output, signal }) {
    const { classes } = await client.classes.listClasses({}, { signal });
    if (output.isJson) output.json(classes.map(classJson));
    else output.table(classColumns, classes.map(classRow));
    return 0;
  },
});

/** `drover class create` */
export const classCreate = defineCommand({
  name: "class create",
  summary: "Create a class: a queue with limits of its own.",
  positionals: [{ name: "NAME", doc: "Its name, in lower-case letters, digits, - and _." }],
  options: {
    limit: integerOption({ doc: "How many of its tasks run at once, over all nodes.", min: 0, max: maxLimit }),
    ceiling: integerOption({
      doc: "Refuse submits beyond so many pending tasks.",
      min: 0,
      max: Number.MAX_SAFE_INTEGER,
    }),
    image: textOption({ doc: "Image of its container tasks that name none.", placeholder: "IMAGE" }),
  },
  examples: [
    {
      line: "drover class create render --limit 8 --image blender:4",
      meaning: "At most eight at once, all over the fleet",
    },
  ],
  async run(context, { positionals: [className = ""], options }) {
    const answer = await context.client.classes.createClass(
      {
        name: className,
        defaultImage: options.image ?? "",
        ...(options.limit !== undefined && { concurrencyLimit: options.limit }),
        ...(options.ceiling !== undefined && { depthLimit: BigInt(options.ceiling) }),
      },
      { signal: context.signal },
    );
    return showChangedClass(context, answer.class);
  },
});

/** `drover class pause` */
export const classPause = defineCommand({
  name: "class pause",
  summary: "Start no further task of a class; what runs goes on.",
  positionals: [name],
  options: {},
  examples: [{ line: "drover class pause gpu", meaning: "Hold the GPU work back" }],
  run: async (context, { positionals: [className = ""] }) =>
    showChangedClass(
      context,
      (await context.client.classes.pauseClass({ name: className }, { signal: context.signal })).class,
    ),
});

/** `drover class resume` */
export const classResume = defineCommand({
  name: "class resume",
  summary: "Let a paused class go on.",
  positionals: [name],
  options: {},
  examples: [{ line: "drover class resume gpu", meaning: "Let the GPU work go on" }],
  run: async (context, { positionals: [className = ""] }) =>
    showChangedClass(
      context,
      (await context.client.classes.resumeClass({ name: className }, { signal: context.signal })).class,
    ),
});

/** `drover class limit` */
export const classLimit = defineCommand({
  name: "class limit",
  summary: "Set how many tasks of a class run at once.",
  positionals: [name, { name: "LIMIT", doc: 'A number, or "none".', words: ["none"] }],
  options: {},
  examples: [
    { line: "drover class limit cpu_long 16", meaning: "At most 16 at once, over all nodes" },
    { line: "drover class limit cpu_long none", meaning: "As many as the nodes have slots" },
  ],
  async run(context, { positionals: [className = "", limit = ""] }) {
    const number = /^\d+$/.test(limit) ? Number(limit) : Number.NaN;
    if (limit !== "none" && !(number <= maxLimit)) {
      throw usageError("class limit", [
        { field: "LIMIT", message: `Expected a number from 0 to ${maxLimit}, or none, got "${limit}".` },
      ]);
    }
    const request = { name: className, ...(limit !== "none" && { concurrencyLimit: number }) };
    return showChangedClass(
      context,
      (await context.client.classes.setClassLimit(request, { signal: context.signal })).class,
    );
  },
});
