import { defineCommand } from "../command.ts";
import { createLogPrinter, streamLog } from "../log-stream.ts";
import { flagOption, integerOption, momentOption } from "../option.ts";

/** `drover task logs` */
export const taskLogs = defineCommand({
  name: "task logs",
  summary: "Show what a task printed.",
  about:
    "What the task wrote to stdout, or a model answered, goes to stdout; what it wrote to stderr to stderr, and so do remarks of Drover's own.",
  positionals: [{ name: "ID", doc: "The task." }],
  options: {
    follow: flagOption({ doc: "Go on until it is done.", short: "f" }),
    tail: integerOption({ doc: "Only the last so many lines.", min: 1, max: 1_000_000 }),
    since: momentOption({ doc: "Only what was printed after this time." }),
    timestamps: flagOption({ doc: "Begin each line with time, attempt and stream.", short: "t" }),
  },
  examples: [
    { line: "drover task logs t0s87r5pwsp000 --follow", meaning: "See it work" },
    { line: "drover task logs t0s87r5pwsp000 --tail 20 --timestamps", meaning: "Its last words" },
  ],
  async run({ client, output, signal }, { positionals: [id = ""], options }) {
    let count = 0;
    const print = createLogPrinter(output, { withTimes: options.timestamps });
    await streamLog({
      client,
      id,
      follow: options.follow,
      tail: options.tail ?? 0,
      since: options.since,
      signal,
      onLine(line) {
        count += 1;
        print(line);
      },
    });
    if (count === 0) output.note("It has printed nothing.");
    return 0;
  },
});
