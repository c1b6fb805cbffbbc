import { durationOption, flagOption, type OptionValues, textOption } from "./option.ts";

/** The flags that every command understands. */
export const globalOptions = {
  address: textOption({ doc: "Where the API is.", placeholder: "URL" }),
  namespace: textOption({ doc: "The namespace to work in.", placeholder: "NAME", short: "n" }),
  json: flagOption({ doc: "Write JSON for programs; errors too." }),
  deadline: durationOption({ doc: "Give up after this time, with exit code 5." }),
  "no-color": flagOption({ doc: "Write no colours." }),
  help: flagOption({ doc: "Show the help of a command.", short: "h" }),
} as const;

export type GlobalValues = OptionValues<typeof globalOptions>;

/** The environment variables that stand in for flags. */
export const globalVariables = [
  { name: "DROVER_ADDRESS", doc: "Where the API is, for --address.", default: "http://127.0.0.1:9097" },
  { name: "DROVER_NAMESPACE", doc: "The namespace, for --namespace.", default: "default" },
  { name: "NO_COLOR", doc: "Set to anything: no colours.", default: "not set" },
] as const;
