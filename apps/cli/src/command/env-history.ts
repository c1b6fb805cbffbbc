import { toJson } from "@bufbuild/protobuf";
import { DroverError } from "@drover/domain/error";
import { GenerationSchema } from "@drover/proto/drover/environment";
import { defineCommand } from "../command.ts";
import { generationColumns, generationRow } from "../environment-view.ts";
import { integerOption } from "../option.ts";

/** `drover env history` */
export const envHistory = defineCommand({
  name: "env history",
  summary: "List the generations of an environment, newest first.",
  positionals: [{ name: "NAME", doc: "The environment." }],
  options: {
    generation: integerOption({
      doc: "Write what this generation declared, and nothing else.",
      placeholder: "N",
      min: 1,
      max: 2_147_483_647,
    }),
  },
  examples: [
    { line: "drover env history shop", meaning: "See who applied what, and when" },
    { line: "drover env history shop --generation 3 > shop.yaml", meaning: "Take an older file back" },
  ],
  async run({ client, output, signal }, { positionals: [name = ""], options }) {
    const { generations } = await client.environments.listGenerations({ name }, { signal });
    if (options.generation !== undefined) {
      const found = generations.find(({ generation }) => generation === options.generation);
      if (found === undefined) {
        const message = `Environment "${name}" has no generation ${options.generation}.`;
        throw new DroverError("not_found", message, { hint: `drover env history ${name}` });
      }
      output.raw(found.source.replace(/\n?$/, "\n"), "stdout");
    } else if (output.isJson)
      output.json(generations.map((one) => toJson(GenerationSchema, one, { alwaysEmitImplicit: true })));
    else
      output.table(
        generationColumns,
        generations.map((one, index) => generationRow(one, Date.now(), index)),
      );
    return 0;
  },
});
