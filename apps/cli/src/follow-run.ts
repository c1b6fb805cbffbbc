import { setTimeout as pause } from "node:timers/promises";
import { isFinalRun } from "@drover/domain/workflow/lifecycle";
import type { Run } from "@drover/proto/drover/run";
import { type Client, isAway } from "./client.ts";
import { notAnswered } from "./fault.ts";
import { runStateWord } from "./word.ts";

export interface FollowRunOptions {
  client: Client;
  id: string;
  signal: AbortSignal;
  /** Told of the run as it is now, then once per change; the last time when it has ended. */
  onChange: (run: Run) => void;
}

const patience = 8;

/** Watches a run until it has ended, over restarts of the API and streams that are cut. */
export async function followRun({ client, id, signal, onChange }: FollowRunOptions): Promise<Run> {
  for (let failures = 0; ;) {
    try {
      for await (const { run } of client.runs.watchRun({ id }, { signal, timeoutMs: 0 })) {
        if (run === undefined) throw notAnswered("a run");
        failures = 0;
        onChange(run);
        if (isRunFinal(run)) return run;
      }
      // A server that stops may end its streams in good order.
      failures += 1;
      if (failures > patience) throw notAnswered("the end of the run");
    } catch (error) {
      failures += 1;
      if (signal.aborted || !isAway(error) || failures > patience) throw error;
    }
    await pause(Math.min(5000, 200 * 2 ** failures) * (1 - Math.random() / 2), undefined, { signal });
  }
}

/** Whether a run has ended. */
export function isRunFinal({ state }: Run): boolean {
  const word = runStateWord(state);
  return word !== "unspecified" && isFinalRun(word);
}
