import type { Answer } from "./answer.ts";
import type { Engine } from "./engine.ts";
import { createPullProgress, type PullState } from "./pull-progress.ts";

export interface PullerOptions {
  engine: Engine;
  /** How long a pull may stand still. */
  progressTimeoutMs?: number;
  /** How long a pull may take at all. */
  timeoutMs?: number;
}

/** Fetches images: one pull per image at a time, shared by all who ask meanwhile. */
export interface Puller {
  /** The pull goes on for the others when one caller's signal fires, and ends with the last of them. */
  pull(image: string, onProgress: PullListener, signal: AbortSignal): Promise<Answer<void>>;
}

export type PullListener = (text: string, state: PullState) => void;

interface Pull {
  listeners: Set<PullListener>;
  stop: AbortController;
  done: Promise<Answer<void>>;
}

/** Creates the one place through which an agent pulls. */
export function createPuller({ engine, progressTimeoutMs = 60_000, timeoutMs = 1_800_000 }: PullerOptions): Puller {
  const pulls = new Map<string, Pull>();

  const begin = (image: string): Pull => {
    const listeners = new Set<PullListener>();
    const stop = new AbortController();
    const tell: PullListener = (text, state) => listeners.forEach((listener) => listener(text, state));
    const done = pullOnce({ engine, image, progressTimeoutMs, timeoutMs, stop, tell });
    const pull = { listeners, stop, done };
    pulls.set(image, pull);
    void done.finally(() => pulls.get(image) === pull && pulls.delete(image));
    return pull;
  };

  return {
    async pull(name, onProgress, signal) {
      const image = withTag(name);
      const pull = pulls.get(image) ?? begin(image);
      const listener: PullListener = (text, state) => onProgress(text, state);
      pull.listeners.add(listener);
      const left = new Promise<Answer<void>>((resolve) => {
        const leave = (): void => resolve({ ok: false, fault: "unknown", message: "The pull was given up." });
        if (signal.aborted) leave();
        signal.addEventListener("abort", leave, { once: true });
      });
      const answer = await Promise.race([pull.done, left]);
      pull.listeners.delete(listener);
      if (pull.listeners.size === 0) {
        // Whoever asks next must not join a pull that is being given up.
        if (pulls.get(image) === pull) pulls.delete(image);
        pull.stop.abort(new Error("Nobody waits for the image any more."));
      }
      return answer;
    },
  };
}

// Without a tag the engine would fetch every tag of the repository.
function withTag(image: string): string {
  const name = image.slice(image.lastIndexOf("/") + 1);
  return name.includes(":") || name.includes("@") ? image : `${image}:latest`;
}

async function pullOnce(pull: {
  engine: Engine;
  image: string;
  progressTimeoutMs: number;
  timeoutMs: number;
  stop: AbortController;
  tell: PullListener;
}): Promise<Answer<void>> {
  const { engine, image, stop, progressTimeoutMs, timeoutMs } = pull;
  const bound = (ms: number, message: string): NodeJS.Timeout => setTimeout(() => stop.abort(new Error(message)), ms);
  const whole = bound(timeoutMs, `The pull took longer than ${timeoutMs / 1000} s.`);
  const still = bound(progressTimeoutMs, `The pull made no progress for ${progressTimeoutMs / 1000} s.`);
  try {
    const answer = await engine.pull(image, stop.signal);
    if (!answer.ok) return answer;
    const progress = createPullProgress((text, state) => pull.tell(`Pulling ${image}: ${text}`, state));
    for await (const chunk of answer.value) {
      if (progress.push(chunk)) still.refresh();
    }
    const { error } = progress;
    return error === undefined ? { ok: true, value: undefined } : { ok: false, fault: "failed", message: error };
  } catch (error) {
    const cause: unknown = stop.signal.aborted ? stop.signal.reason : error;
    return {
      ok: false,
      fault: stop.signal.aborted ? "failed" : "unknown",
      message: String(cause instanceof Error ? cause.message : cause),
    };
  } finally {
    clearTimeout(whole);
    clearTimeout(still);
  }
}
