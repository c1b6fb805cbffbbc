#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { resolve } from "node:path";
import { defineConfig } from "@drover/daemon/config";
import { createLog } from "@drover/daemon/log";
import { runServices } from "@drover/daemon/service";
import { releaseStartupMemory } from "@drover/daemon/startup-memory";
import { stopSignal } from "@drover/daemon/stop-signal";
import { DroverError } from "@drover/domain/error";
import { readProviders } from "./executor/llm/provider-config.ts";
import { withKnownNames } from "./executor/llm/setting.ts";
import { fixedLogin, holdLogin } from "./held-login.ts";
import { createHost } from "./host.ts";
import { openNotebook } from "./notebook.ts";
import { findNodeName } from "./own-name.ts";
import { checkSettings, settings } from "./setting.ts";

const config = defineConfig({ settings, otherNames: ["DROVER_*"], check: checkSettings });

async function main(): Promise<number> {
  const env = withKnownNames(process.env);
  const { values, given, secrets, warnings } = config.read({ env });
  const stopping = stopSignal({ process });
  const startLog = createLog({ app: "agent", level: values.logLevel, secrets });
  const login =
    values.databaseUrl !== undefined
      ? fixedLogin(values.databaseUrl)
      : await holdLogin({
          file: values.databaseUrlFile ?? "",
          rotateDays: values.isPooled ? 0 : values.loginRotateDays,
          signal: stopping,
          log: startLog,
        });
  const providers = readProviders(values, { env, readFile: (path) => readFileSync(path, "utf8") });
  const hidden = [...secrets, new URL(login.url).password, ...providers.flatMap(({ key }) => key ?? [])];
  const log = createLog({ app: "agent", level: values.logLevel, secrets: hidden });
  for (const warning of warnings) log.warn(warning);
  const notebook = openNotebook({ folder: resolve(values.taskDir), url: login.url, log });
  const own = { url: login.url, notebook, hostName: hostname().toLowerCase(), signal: stopping, log };
  const name = values.node ?? (await findNodeName(own));
  log.info({ settings: given, node: name }, "starting");
  releaseStartupMemory();
  // Two agents of one name would take turns in fencing each other off: the older one goes.
  const superseded = new AbortController();
  const onSuperseded = () => {
    if (superseded.signal.aborted) return;
    log.error({ node: name }, "another agent runs under this node's name; set DROVER_AGENT_NODE to a name of its own");
    superseded.abort("superseded");
  };
  const onRefused = (error: unknown) => {
    if (superseded.signal.aborted) return;
    const hint = `join anew with "drover node join --replace --token TOKEN", as ${name} or with DROVER_AGENT_NODE set to the name that joined`;
    log.error({ node: name, error, hint }, "the database does not take this node's login");
    superseded.abort("refused");
  };
  const version = "0.1.0";
  const services = await createHost({
    values,
    notebook,
    providers,
    login,
    name,
    version,
    onSuperseded,
    onRefused,
    log,
  });
  const signal = AbortSignal.any([stopping, superseded.signal]);
  const { clean } = await runServices(services, { signal, stopSeconds: values.stopSeconds, log });
  if (superseded.signal.aborted) return 1;
  return clean ? 0 : 1;
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    const text = error instanceof DroverError ? [error.message, error.facts.hint].filter(Boolean).join("\n") : error;
    console.error(text);
    process.exit(1);
  },
);
