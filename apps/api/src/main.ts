#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { defineConfig } from "@drover/daemon/config";
import { guardListeners } from "@drover/daemon/listener-guard";
import { createLog } from "@drover/daemon/log";
import { runServices, type Service } from "@drover/daemon/service";
import { releaseStartupMemory } from "@drover/daemon/startup-memory";
import { stopSignal } from "@drover/daemon/stop-signal";
import { findRunning } from "@drover/db/embedded/running";
import { startEmbedded } from "@drover/db/embedded/server";
import { migrate } from "@drover/db/migrate";
import { DroverError } from "@drover/domain/error";
import { readEnvManagerFile } from "./env-manager-configuration.ts";
import { withEnvManagerFile, withEnvManagerNames } from "./env-manager-name.ts";
import { writeNodeLogin } from "./node-login.ts";
import { createServer } from "./server.ts";
import { checkSettings, settings } from "./setting.ts";

// api                    serves until it is told to stop
// api migrate            brings the schema up to date and ends
// api node-login NAME    makes a node's database login, prints its URL and ends

const config = defineConfig({ settings, otherNames: ["DROVER_AGENT_*"], check: checkSettings });

/** What is set under our names and, where it is not, under those that users of the env-manager know. */
function readSettings(): ReturnType<typeof config.read> {
  const env = withEnvManagerFile(process.env);
  const own = config.read({ env });
  const path = own.values.envManagerConfig;
  const file = path === undefined ? undefined : readEnvManagerFile(path, (name) => readFileSync(name, "utf8"));
  const known = withEnvManagerNames(env, own.given, file?.settings);
  const read = config.read({ env: known.env });
  return { ...read, warnings: [...read.warnings, ...known.warnings] };
}

async function main(): Promise<number> {
  const [command = "serve", ...rest] = process.argv.slice(2);
  const { values, given, secrets, warnings } = readSettings();
  // A closed terminal stops the server, unless there is something to read anew; before it serves, that is still to come.
  const canReload = values.envManagerConfig !== undefined;
  if (canReload) process.on("SIGHUP", () => {});
  guardListeners({ addresses: values.listen, insecure: values.insecure });
  const log = createLog({ app: "api", level: values.logLevel, secrets });
  for (const warning of warnings) log.warn(warning);
  log.info({ settings: given }, "starting");
  releaseStartupMemory();

  // One who only asks something of the database may ask the server that another process keeps.
  const url = values.databaseUrl ?? (command === "serve" ? undefined : findRunning(values.dataDir));
  const embedded = url === undefined ? await startEmbedded({ dataDir: resolve(values.dataDir), log }) : undefined;
  const databaseUrl = url ?? embedded?.url ?? "";
  const directUrl = values.databaseDirectUrl ?? databaseUrl;
  try {
    if (values.migrate || command === "migrate") await migrate({ url: directUrl, log: (line) => log.info(line) });
    switch (command) {
      case "migrate":
        return 0;
      case "node-login":
        process.stdout.write(`${await writeNodeLogin({ url: directUrl, name: rest[0] ?? "" })}\n`);
        return 0;
      case "serve": {
        if (values.localNode !== undefined)
          await writeNodeLogin({ url: directUrl, name: values.localNode, folder: resolve(values.dataDir) });
        const { tlsCertificate: cert, tlsKey: key } = values;
        const tls =
          cert === undefined || key === undefined
            ? undefined
            : { cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") };
        const onReload = (reload: () => void) => void (canReload && process.on("SIGHUP", reload));
        const services: Service[] = createServer({ values, databaseUrl, log, onReload, ...(tls && { tls }) });
        const { clean } = await runServices(services, {
          signal: stopSignal({ process, ...(canReload && { signals: ["SIGTERM", "SIGINT"] }) }),
          stopSeconds: values.stopSeconds,
          log,
        });
        return clean ? 0 : 1;
      }
      default:
        throw new DroverError("invalid", `Expected migrate, node-login or nothing, got "${command}".`);
    }
  } finally {
    await embedded?.stop();
  }
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    const text = error instanceof DroverError ? [error.message, error.facts.hint].filter(Boolean).join("\n") : error;
    console.error(text);
    process.exit(1);
  },
);
