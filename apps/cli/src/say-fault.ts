import type { DroverError } from "@drover/domain/error";
import type { Output } from "./output.ts";

/** Says a refusal on stderr, with the faults by field and what to try next; for programs as one line of JSON. */
export function sayFault(output: Output, { reason, message, facts }: DroverError): void {
  if (output.isJson) {
    const { fields, hint } = facts;
    return output.complain(
      JSON.stringify({ error: { reason, message, ...(fields && { fields }), ...(hint && { try: hint }) } }),
    );
  }
  output.complain(`${output.paintError("Error:", "red")} ${message}`);
  for (const { field, message: fault } of facts.fields ?? []) output.complain(`  ${field}: ${fault}`);
  if (facts.hint) output.complain(`${output.paintError("Try:", "bold")} ${facts.hint}`);
}
