import type { Context } from "./command.ts";
import { type ExitCode, exitCodeOf } from "./exit.ts";
import { toFault } from "./fault.ts";

/** Changes one thing after the other; a refusal of one is told and holds up no other. The worst refusal is the exit code. */
export async function changeEach(
  { client, output, signal }: Context,
  ids: readonly string[],
  change: (id: string) => Promise<{ state: string; text: string }>,
): Promise<ExitCode> {
  let code: ExitCode = 0;
  const answers: { id: string; state?: string; error?: { reason: string; message: string } }[] = [];
  for (const id of ids) {
    try {
      const { state, text } = await change(id);
      answers.push({ id, state });
      if (!output.isJson) output.line(`${id}  ${text}`);
    } catch (error) {
      const fault = toFault(error, { address: client.address, commandName: "" });
      // One id, or nobody there: the usual way to say it, with the next command.
      if (ids.length === 1 || signal.aborted || fault.reason === "unavailable") throw error;
      answers.push({ id, error: { reason: fault.reason, message: fault.message } });
      if (!output.isJson) output.complain(`${id}  ${output.paintError("Error:", "red")} ${fault.message}`);
      code = exitCodeOf(fault.reason);
    }
  }
  if (output.isJson) output.json(answers);
  return code;
}
