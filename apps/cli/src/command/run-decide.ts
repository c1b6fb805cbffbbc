import { fromJson } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { defineCommand } from "../command.ts";
import { textOption } from "../option.ts";
import { readValue } from "../run-input.ts";

const run = { name: "RUN", doc: "The run." };

/** `drover run approve` */
export const runApprove = decideCommand("approve");

/** `drover run reject` */
export const runReject = decideCommand("reject");

/** `drover run event` */
export const runEvent = defineCommand({
  name: "run event",
  summary: "Hand an event to a run: to a step that waits for it, or to one that will.",
  positionals: [run, { name: "NAME", doc: "The name of the event." }],
  options: {
    data: textOption({
      doc: "What came with it: JSON, or a text. It becomes the output of the step.",
      placeholder: "JSON",
    }),
  },
  examples: [
    {
      line: `drover run event run-000655a1b2c3d4e5 paid --data '{"amount": 5}'`,
      meaning: "Tell a run what it waits for",
    },
  ],
  async run({ client, output, signal }, { positionals: [runId = "", name = ""], options }) {
    const data = options.data === undefined ? undefined : fromJson(ValueSchema, readValue(options.data));
    await client.runs.sendEvent({ runId, name, ...(data && { data }) }, { signal });
    if (output.isJson) output.json({ id: runId, event: name });
    else output.line(`${runId}  has the event ${name}`);
    return 0;
  },
});

function decideCommand(verb: "approve" | "reject") {
  const isApproved = verb === "approve";
  return defineCommand({
    name: `run ${verb}`,
    summary: isApproved ? "Approve a step that waits for it." : "Reject a step that waits for approval: it fails.",
    positionals: [run, { name: "STEP", doc: "The step that waits." }],
    options: {
      as: textOption({ doc: "Who decides, where the step names its approvers.", placeholder: "NAME" }),
      comment: textOption({ doc: "Why; it is kept with the step.", placeholder: "TEXT" }),
    },
    examples: [
      {
        line: `drover run ${verb} run-000655a1b2c3d4e5 review --as alice --comment "${isApproved ? "looks right" : "too long"}"`,
        meaning: isApproved ? "Let a run go on" : "Stop what hangs on the step",
      },
    ],
    async run({ client, output, signal }, { positionals: [runId = "", step = ""], options }) {
      const { as: approver = "", comment = "" } = options;
      await client.runs.decideApproval({ runId, step, approve: isApproved, approver, comment }, { signal });
      if (output.isJson) output.json({ id: runId, step, approved: isApproved });
      else output.line(`${runId}  step ${step} is ${isApproved ? "approved" : "rejected"}`);
      return 0;
    },
  });
}
