import type { LlmAnswer } from "@drover/domain/workflow/llm-call";
import { claimKey, type Run, type TaskExecutor } from "../executor.ts";
import { createProvider } from "./provider.ts";
import type { ProviderConfig } from "./provider-config.ts";
import { createKeyBlanker } from "./redact.ts";
import { startLlmRun } from "./run.ts";

export interface LlmExecutorOptions {
  providers: readonly ProviderConfig[];
  now?: () => number;
}

/** Makes calls to models: one attempt is one call, with the keys of this node. Nothing of it outlives the agent. */
export function createLlmExecutor({ providers, now = Date.now }: LlmExecutorOptions): TaskExecutor<LlmAnswer> {
  const keys = providers.flatMap(({ key }) => key ?? []);
  const deps = {
    providers: new Map(providers.map((config) => [config.name, createProvider(config)])),
    keys,
    blankKeys: createKeyBlanker(keys),
    refusers: new Set<string>(),
    now,
  };
  const live = new Map<string, Run<LlmAnswer>>();
  return {
    name: "llm",
    probe() {
      const names = [...deps.providers.keys()];
      return Promise.resolve(
        names.length > 0
          ? { ready: true, facts: { providers: names.join() } }
          : { ready: false, reason: "No provider of models is configured on this node." },
      );
    },
    start(request, logs) {
      const key = claimKey(request);
      const known = live.get(key);
      if (known !== undefined) return known;
      const run = startLlmRun(deps, request, logs);
      live.set(key, run);
      void run.outcome.finally(() => live.delete(key));
      return run;
    },
    // A call ends with the process that waits for it: the claims come back as none.
    adopt: () => Promise.resolve([]),
    sweep: () => Promise.resolve({ removed: [] }),
  };
}
