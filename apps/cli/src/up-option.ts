import { flagOption, textOption } from "./option.ts";

/** Flags that stand for settings of the API. */
export const apiOptions = {
  listen: textOption({ doc: "Addresses to serve on, with commas between them.", placeholder: "HOST:PORT" }),
  data: textOption({ doc: "Folder of the embedded PostgreSQL.", placeholder: "PATH", isFile: true }),
  insecure: flagOption({
    doc: "Allow addresses that other machines can reach, although requests are not authenticated.",
  }),
} as const;

/** Flags that stand for settings of the agent. */
export const agentOptions = {
  node: textOption({
    doc: "The node's name.",
    placeholder: "NAME",
    pattern: /^[a-z0-9][a-z0-9.-]{0,62}$/,
    expects: "a name in lower-case letters, digits, dots and dashes",
  }),
  process: flagOption({ doc: "Run tasks as processes of this host as well: nothing isolates them." }),
  echo: flagOption({
    doc: "Add the provider of models echo, which answers with what it is asked: to try workflows without a key.",
  }),
  slots: textOption({
    doc: "How many tasks of a class run here at once, such as cpu_short=4,gpu=1.",
    placeholder: "CLASS=N",
  }),
} as const;

/** The settings that the flags of the API stand for. */
export function apiEnv({
  listen,
  data,
  insecure,
}: {
  listen: string | undefined;
  data: string | undefined;
  insecure: boolean;
}) {
  return { DROVER_LISTEN: listen, DROVER_DATA_DIR: data, DROVER_INSECURE: insecure ? "true" : undefined };
}

/** The settings that the flags of the agent stand for. */
export function agentEnv({
  node,
  process,
  echo,
  slots,
}: {
  node: string | undefined;
  process: boolean;
  echo: boolean;
  slots: string | undefined;
}) {
  return {
    DROVER_AGENT_NODE: node,
    DROVER_AGENT_PROCESS: process ? "true" : undefined,
    DROVER_AGENT_LLM_ECHO: echo ? "true" : undefined,
    DROVER_AGENT_SLOTS: slots,
  };
}
