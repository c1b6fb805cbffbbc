import type { ConfigFault } from "@drover/daemon/config-file";
import { addresses, counts, flag, integer, list, oneOf, seconds, text, url } from "@drover/daemon/kind";
import { logLevels } from "@drover/daemon/log";
import type { Settings, SettingValues } from "@drover/daemon/setting";
import { DroverError } from "@drover/domain/error";
import { checkLlmSettings, llmSettings } from "./executor/llm/setting.ts";
import { parseSharing } from "./gpu/sharing.ts";

/** Everything that can be set on an agent. */
export const settings = {
  databaseUrl: {
    name: "DROVER_AGENT_DATABASE_URL",
    kind: url({ schemes: ["postgres", "postgresql"] }),
    optional: true,
    doc: "The node's own database login.",
  },
  databaseUrlFile: {
    name: "DROVER_AGENT_DATABASE_URL_FILE",
    kind: text(),
    optional: true,
    doc: "File that holds it, read at start; its password is replaced there when it has become old.",
  },
  loginRotateDays: {
    name: "DROVER_AGENT_LOGIN_ROTATE_DAYS",
    kind: integer({ min: 0, max: 3650 }),
    default: 30,
    doc: "Age in days from which the agent replaces the password in that file, at its start and while it runs; 0: never. Not through a pooler, which may know passwords of its own.",
  },
  isPooled: {
    name: "DROVER_AGENT_DATABASE_POOLED",
    kind: flag(),
    default: false,
    doc: "The URL leads through a transaction-mode pooler: no named statements, no hints.",
  },
  notify: {
    name: "DROVER_AGENT_NOTIFY",
    kind: flag(),
    default: true,
    doc: "Hears wake-up hints on a second connection; for small fleets.",
  },
  node: {
    name: "DROVER_AGENT_NODE",
    kind: text({ pattern: /^[a-z0-9][a-z0-9.-]{0,62}$/, expects: "a host name in lower case" }),
    optional: true,
    doc: "The node's name. Unset: that of its login; the host's, where the login is no node's own.",
  },
  slots: {
    name: "DROVER_AGENT_SLOTS",
    kind: counts({ min: 0, max: 10_000 }),
    default: "cpu_short=4,cpu_long=2",
    doc: "How many tasks of a class run here at once. Unless it says otherwise: llm=8 with a provider of models, and gpu and gpu_slurm with as many as there are places on GPUs.",
  },
  listen: {
    name: "DROVER_AGENT_LISTEN",
    kind: addresses(),
    default: "127.0.0.1:50101",
    doc: "Where /metrics and /health are served.",
  },
  taskDir: {
    name: "DROVER_AGENT_TASK_DIR",
    kind: text(),
    default: ".drover/task",
    doc: "Folder of the attempts' working directories; the same path on the Docker host. What the agent has to know while the database is away lies there, too.",
  },
  process: {
    name: "DROVER_AGENT_PROCESS",
    kind: flag(),
    default: false,
    doc: "Runs tasks as processes of this host as well: nothing isolates them.",
  },
  docker: {
    name: "DROVER_AGENT_DOCKER",
    kind: flag(),
    default: true,
    doc: "Runs tasks in containers where an engine answers.",
  },
  dockerHost: {
    name: "DROVER_AGENT_DOCKER_HOST",
    kind: text(),
    optional: true,
    doc: "As DOCKER_HOST. Unset: the local socket.",
  },
  mounts: {
    name: "DROVER_AGENT_MOUNTS",
    kind: list({ pattern: /^\// }),
    optional: true,
    doc: "Host paths at or below which tasks and services may mount.",
  },
  networks: {
    name: "DROVER_AGENT_NETWORKS",
    kind: list(),
    optional: true,
    doc: "Docker networks that tasks may ask for; otherwise they have none.",
  },
  secretsDir: {
    name: "DROVER_AGENT_SECRETS_DIR",
    kind: text(),
    optional: true,
    doc: "Folder whose files are the secrets that services may name; their values stay on this node.",
  },
  reconcileSeconds: {
    name: "DROVER_AGENT_RECONCILE_SECONDS",
    kind: seconds({ min: 0.1, max: 3600 }),
    default: "5s",
    doc: "The longest time between two looks at all containers of services; events of Docker only shorten it.",
  },
  maxConcurrentStarts: {
    name: "DROVER_AGENT_MAX_CONCURRENT_STARTS",
    kind: integer({ min: 1, max: 1000 }),
    default: 5,
    doc: "How many containers of services are created or started at once.",
  },
  drift: {
    name: "DROVER_AGENT_DRIFT",
    kind: oneOf(["converge", "observe"]),
    default: "converge",
    doc: "converge: a service's container that was changed by hand is made anew. observe: the change is only shown.",
  },
  gpuSharing: {
    name: "DROVER_AGENT_GPU_SHARING",
    kind: text(),
    optional: true,
    doc: "How many may use a GPU at once, by GPU: GPU-5d5ba0d6=4,*L4*=2. Unset: one each.",
  },
  modelDirs: {
    name: "DROVER_AGENT_MODEL_DIRS",
    kind: list({ pattern: /^\// }),
    optional: true,
    doc: "Folders whose files are told to the control plane, so that work which names them is placed here.",
  },
  nvidiaSmi: {
    name: "DROVER_AGENT_NVIDIA_SMI",
    kind: text(),
    optional: true,
    doc: "The program that lists NVIDIA GPUs. Unset: nvidia-smi of the PATH.",
  },
  rocmSmi: {
    name: "DROVER_AGENT_ROCM_SMI",
    kind: text(),
    optional: true,
    doc: "The program that lists AMD GPUs. Unset: rocm-smi of the PATH.",
  },
  ...llmSettings,
  graceSeconds: {
    name: "DROVER_AGENT_GRACE_SECONDS",
    kind: seconds({ min: 0, max: 3600 }),
    default: "10s",
    doc: "From the polite signal to the kill, when a task is stopped.",
  },
  sweepGraceSeconds: {
    name: "DROVER_AGENT_SWEEP_GRACE_SECONDS",
    kind: seconds({ min: 0, max: 86_400 }),
    default: "300s",
    doc: "How old a container of ours that no task claims must be before it is removed.",
  },
  onStop: {
    name: "DROVER_AGENT_ON_STOP",
    kind: oneOf(["drain", "keep"]),
    default: "drain",
    doc: "drain: running tasks get the stop time, then go back to their queues. keep: containers run on and are taken up again by the next start.",
  },
  stopSeconds: {
    name: "DROVER_AGENT_STOP_SECONDS",
    kind: seconds({ min: 1, max: 86_400 }),
    default: "20s",
    doc: "Time for a graceful stop.",
  },
  logLevel: { name: "DROVER_AGENT_LOG_LEVEL", kind: oneOf(logLevels), default: "info", doc: "How much is logged." },
} as const satisfies Settings;

/** Rules between settings. */
export function checkSettings(values: SettingValues<typeof settings>): ConfigFault[] {
  const faults = [...checkLlmSettings(values), ...sharingFaults(values.gpuSharing)];
  if ((values.databaseUrl === undefined) !== (values.databaseUrlFile === undefined)) return faults;
  return [
    ...faults,
    {
      name: settings.databaseUrl.name,
      message: `expected either DROVER_AGENT_DATABASE_URL or DROVER_AGENT_DATABASE_URL_FILE, got ${values.databaseUrl === undefined ? "neither" : "both"}; "drover node login NAME" prints the URL`,
    },
  ];
}

function sharingFaults(sharing: string | undefined): ConfigFault[] {
  try {
    parseSharing(sharing ?? "");
    return [];
  } catch (error) {
    if (!(error instanceof DroverError)) throw error;
    return [{ name: settings.gpuSharing.name, message: error.message }];
  }
}
