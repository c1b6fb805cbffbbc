import { DroverError } from "@drover/domain/error";

/** `ready`: without it no requests should come here. `live`: without it the process should be restarted. */
export type CheckKind = "ready" | "live";

export interface CheckState {
  name: string;
  kind: CheckKind;
  /** Undefined until the first result. */
  ok: boolean | undefined;
  /** Why it is not ok, or what was found, as a sentence. */
  message: string;
  /** When the last result came. */
  at: Date | undefined;
}

export interface HealthState {
  isLive: boolean;
  /** False while draining, and until every `ready` check has said yes. */
  isReady: boolean;
  isDraining: boolean;
  checks: CheckState[];
}

export interface Health<Name extends string = string> {
  /** Sets the last result of a declared check. */
  report(name: Name, result: { ok: boolean; message?: string }): void;
  /** Says that the process will stop: not ready from now on, for good. */
  drain(): void;
  state(): HealthState;
  /** Calls the listener now, and whenever a verdict changes; returns what ends that. It must not throw. */
  subscribe(listener: (state: HealthState) => void): () => void;
}

export interface HealthOptions<Name extends string> {
  checks: Readonly<Record<Name, CheckKind>>;
  now?: () => Date;
}

/** Keeps what is known of a process's health; it asks nobody, the owners of the checks report. */
export function createHealth<Name extends string>({
  checks: declared,
  now = () => new Date(),
}: HealthOptions<Name>): Health<Name> {
  const checks = new Map(
    Object.entries<CheckKind>(declared).map(([name, kind]): [string, CheckState] => [
      name,
      { name, kind, ok: undefined, message: "not checked yet", at: undefined },
    ]),
  );
  const listeners = new Set<(state: HealthState) => void>();
  let isDraining = false;

  const state = (): HealthState => healthOf([...checks.values()], isDraining);
  const change = (apply: () => void): void => {
    const before = verdict(state());
    apply();
    const after = state();
    if (verdict(after) !== before) for (const listener of listeners) listener(after);
  };

  return {
    report(name, { ok, message = ok ? "ok" : "failed" }) {
      const check = checks.get(name);
      if (!check)
        throw new DroverError(
          "internal",
          `Expected one of the checks ${[...checks.keys()].join(", ")}, got ${name}. Declare it.`,
        );
      change(() => void checks.set(name, { ...check, ok, message, at: now() }));
    },
    drain() {
      change(() => void (isDraining = true));
    },
    state,
    subscribe(listener) {
      listeners.add(listener);
      listener(state());
      return () => void listeners.delete(listener);
    },
  };
}

/** The verdict over checks: unknown is not ready, but still alive. */
function healthOf(checks: CheckState[], isDraining: boolean): HealthState {
  const isLive = checks.every((check) => check.kind !== "live" || check.ok !== false);
  const isReady = isLive && !isDraining && checks.every((check) => check.kind !== "ready" || check.ok === true);
  return { isLive, isReady, isDraining, checks };
}

function verdict({ checks, ...rest }: HealthState): string {
  return JSON.stringify([rest, checks.map((check) => check.ok ?? null)]);
}
