import { defineCommand } from "../command.ts";
import { findEnvironment, findServices } from "../find-service.ts";
import { flagOption, integerOption, momentOption } from "../option.ts";
import { createServiceLogPrinter, streamServiceLog } from "../service-log.ts";
import { isMany } from "../service-view.ts";

/** `drover service logs` */
export const serviceLogs = defineCommand({
  name: "service logs",
  summary: "Show what the containers of a service printed.",
  about:
    "Their stdout goes to stdout, their stderr to stderr. Where there are several replicas, each line begins with its own. " +
    "Following waits for a container where there is none yet, and goes on with those that are replaced or moved.",
  positionals: [
    { name: "ENVIRONMENT", doc: "The environment." },
    { name: "SERVICE", doc: "The service." },
  ],
  options: {
    follow: flagOption({ doc: "Go on until you leave.", short: "f" }),
    tail: integerOption({ doc: "Only the last so many lines of each replica.", min: 1, max: 1_000_000 }),
    since: momentOption({ doc: "Only what was printed after this time." }),
    replica: integerOption({ doc: "Only this replica.", min: 1, max: 1000 }),
    timestamps: flagOption({ doc: "Begin each line with the engine's own time.", short: "t" }),
  },
  examples: [
    { line: "drover service logs shop redis --follow", meaning: "Read along" },
    { line: "drover service logs shop page --since 10m --timestamps", meaning: "The last ten minutes" },
  ],
  async run(context, { positionals: [environment = "", service = ""], options }) {
    const { client, output, signal } = context;
    const { replica, follow, tail = 0, since } = options;
    const find = async () => findServices(await findEnvironment(context, environment), [service])[0];
    const declared = await find();
    const hasNames = declared !== undefined && isMany(declared) && replica === undefined;
    const nameOf = hasNames ? (number: number) => `${service}/${number}` : undefined;
    const print = createServiceLogPrinter(output, { withTimes: options.timestamps, nameOf });
    let count = 0;
    let said = "";
    await streamServiceLog({
      client,
      environment,
      service,
      replica,
      follow,
      tail,
      since,
      signal,
      async isComing(reason) {
        const now = await find();
        if (now === undefined || now.isStopped || (replica ?? 1) > now.replicas) return false;
        if (reason !== said) output.note(`${reason} Waiting for it.`);
        said = reason;
        return true;
      },
      onLine(line) {
        count += 1;
        print(line);
      },
    });
    if (count === 0) output.note("It has printed nothing.");
    return 0;
  },
});
