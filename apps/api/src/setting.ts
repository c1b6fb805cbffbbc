import { addresses, flag, integer, oneOf, seconds, text, url } from "@drover/daemon/kind";
import { logLevels } from "@drover/daemon/log";
import type { Settings } from "@drover/daemon/setting";

const postgresUrl = url({ schemes: ["postgres", "postgresql"] });

/** Everything that can be set on the API. */
export const settings = {
  listen: {
    name: "DROVER_LISTEN",
    kind: addresses(),
    default: "127.0.0.1:9097,127.0.0.1:50052,127.0.0.1:50100",
    doc: "Addresses to serve on; each speaks every protocol.",
  },
  insecure: {
    name: "DROVER_INSECURE",
    kind: flag(),
    default: false,
    doc: "Allows addresses beyond this machine although requests are not authenticated.",
  },
  databaseUrl: {
    name: "DROVER_DATABASE_URL",
    kind: postgresUrl,
    optional: true,
    doc: "Postgres 15 or newer. Unset: the embedded PostgreSQL, in the data folder.",
  },
  databaseDirectUrl: {
    name: "DROVER_DATABASE_DIRECT_URL",
    kind: postgresUrl,
    optional: true,
    doc: "Past the pooler, for LISTEN and migrations. Unset: the same as DROVER_DATABASE_URL.",
  },
  isPooled: {
    name: "DROVER_DATABASE_POOLED",
    kind: flag(),
    default: false,
    doc: "DROVER_DATABASE_URL leads through a transaction-mode pooler: no named statements.",
  },
  connections: {
    name: "DROVER_DATABASE_CONNECTIONS",
    kind: integer({ min: 2, max: 500 }),
    default: 10,
    doc: "Connections of this process, besides one for LISTEN.",
  },
  dataDir: {
    name: "DROVER_DATA_DIR",
    kind: text(),
    default: ".drover",
    doc: "Folder of the embedded PostgreSQL.",
  },
  localNode: {
    name: "DROVER_LOCAL_NODE",
    kind: text({ pattern: /^[a-z0-9][a-z0-9.-]{0,62}$/, expects: "a host name in lower case" }),
    optional: true,
    doc: "Node on this machine: its database login is made at start, its URL written to node-<name>.url in the data folder.",
  },
  nodeDatabaseUrl: {
    name: "DROVER_NODE_DATABASE_URL",
    kind: postgresUrl,
    optional: true,
    doc: "By which nodes that join reach the database; each gets its own user and password in it. Unset: as the API itself does, past a pooler.",
  },
  envManagerEnvironment: {
    name: "DROVER_API_ENV_MANAGER_ENVIRONMENT",
    kind: text({
      pattern: /^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$/,
      expects: "the name of an environment",
    }),
    default: "lightweight",
    doc: "Environment of which clients of the env-manager speak without naming it, in their namespace.",
  },
  envManagerConfig: {
    name: "DROVER_API_ENV_MANAGER_CONFIG",
    kind: text(),
    optional: true,
    doc: "TOML file of an env-manager, whose service_overrides become a generation of that environment; SIGHUP reads it anew. Also ENV_MANAGER_CONFIG.",
  },
  envManagerStartSeconds: {
    name: "DROVER_API_ENV_MANAGER_START_SECONDS",
    kind: seconds({ min: 1, max: 86_400 }),
    optional: true,
    doc: "In place of health_check_timeout_secs in that file: the longest that a start may take. Also ENV_MANAGER_HEALTH_TIMEOUT.",
  },
  notify: {
    name: "DROVER_NOTIFY",
    kind: flag(),
    default: true,
    doc: "Sends and hears wake-up hints; without them everything works by polling.",
  },
  migrate: {
    name: "DROVER_MIGRATE",
    kind: flag(),
    default: true,
    doc: "Brings the schema up to date at start; several replicas may do so at once.",
  },
  leaseSeconds: {
    name: "DROVER_LEASE_SECONDS",
    kind: seconds({ min: 1, max: 3600 }),
    default: "30s",
    doc: "How long agents and workers may stay silent before their tasks are handed on.",
  },
  leaseMarginSeconds: {
    name: "DROVER_LEASE_MARGIN_SECONDS",
    kind: seconds({ min: 0, max: 3600 }),
    default: "10s",
    doc: "How much longer than that the control plane waits, so that clocks need not agree.",
  },
  syncRateLimit: {
    name: "DROVER_SYNC_RATE_LIMIT",
    kind: integer({ min: 1, max: 100_000 }),
    default: 200,
    doc: "Syncs per second of the whole fleet; with more agents each comes back less often.",
  },
  retentionDays: {
    name: "DROVER_RETENTION_DAYS",
    kind: integer({ min: 1, max: 3650 }),
    default: 30,
    doc: "Tasks, results, logs and events older than this are dropped by the week.",
  },
  tlsCertificate: {
    name: "DROVER_TLS_CERTIFICATE",
    kind: text(),
    optional: true,
    doc: "PEM file; with DROVER_TLS_KEY every address speaks TLS.",
  },
  tlsKey: { name: "DROVER_TLS_KEY", kind: text(), optional: true, doc: "PEM file of the certificate's private key." },
  logLevel: { name: "DROVER_LOG_LEVEL", kind: oneOf(logLevels), default: "info", doc: "How much is logged." },
  stopSeconds: {
    name: "DROVER_STOP_SECONDS",
    kind: seconds({ min: 1, max: 3600 }),
    default: "20s",
    doc: "Time for a graceful stop; what is not done by then is cut off.",
  },
} as const satisfies Settings;

/** Rules between settings. */
export function checkSettings(values: { tlsCertificate: string | undefined; tlsKey: string | undefined }) {
  if ((values.tlsCertificate === undefined) === (values.tlsKey === undefined)) return [];
  const missing = values.tlsKey === undefined ? settings.tlsKey.name : settings.tlsCertificate.name;
  return [
    {
      name: missing,
      message: `expected both DROVER_TLS_CERTIFICATE and DROVER_TLS_KEY or neither, got only one; set ${missing}`,
    },
  ];
}
