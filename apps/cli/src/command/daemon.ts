import { defineCommand } from "../command.ts";
import { textOption } from "../option.ts";
import { runProgram } from "../program.ts";
import { agentEnv, agentOptions, apiEnv, apiOptions } from "../up-option.ts";

/** `drover api` */
export const api = defineCommand({
  name: "api",
  summary: "Run the control plane.",
  about:
    "Every setting is an environment variable, DROVER_*; the flags stand for the commonest. Without DROVER_DATABASE_URL it starts the embedded PostgreSQL.",
  positionals: [],
  options: apiOptions,
  examples: [
    { line: "drover api", meaning: "With the embedded PostgreSQL, in .drover" },
    {
      line: "DROVER_DATABASE_URL=postgres://drover@db/drover drover api --listen 127.0.0.1:9097",
      meaning: "With a PostgreSQL of your own",
    },
  ],
  run: (context, { options }) => runProgram(context, { program: "api", env: apiEnv(options) }),
});

/** `drover agent` */
export const agent = defineCommand({
  name: "agent",
  summary: "Run the agent of this host.",
  about:
    "Every setting is an environment variable, DROVER_AGENT_*; the flags stand for the commonest. It needs the node's own database login.",
  positionals: [],
  options: {
    ...agentOptions,
    "login-file": textOption({
      doc: "File with the URL that drover node login printed.",
      placeholder: "PATH",
      isFile: true,
    }),
  },
  examples: [
    {
      line: "drover agent --node gpu-01 --login-file /etc/drover/node.url --slots gpu=2",
      meaning: "Run the agent of the host gpu-01",
    },
  ],
  run: (context, { options }) =>
    runProgram(context, {
      program: "agent",
      env: { ...agentEnv(options), DROVER_AGENT_DATABASE_URL_FILE: options["login-file"] },
    }),
});

/** `drover migrate` */
export const migrate = defineCommand({
  name: "migrate",
  summary: "Bring the schema of the database up to date, and end.",
  positionals: [],
  options: { data: apiOptions.data },
  examples: [
    {
      line: "DROVER_DATABASE_URL=postgres://drover@db/drover drover migrate",
      meaning: "Before a new version is started",
    },
  ],
  run: (context, { options }) =>
    runProgram(context, { program: "api", args: ["migrate"], env: { DROVER_DATA_DIR: options.data } }),
});
