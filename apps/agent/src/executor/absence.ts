/** Bounds how long an engine may be away before a run is given up. */
export interface Absence {
  /** Counts an unknown answer; true once the engine has been away for the whole bound. */
  isTooLong(): boolean;
  /** An answer came. */
  end(): void;
  readonly wasAway: boolean;
}

/** Starts with an engine that is there. */
export function createAbsence(boundMs: number): Absence {
  let since: number | undefined;
  let wasAway = false;
  return {
    isTooLong() {
      wasAway = true;
      since ??= performance.now();
      return performance.now() - since >= boundMs;
    },
    end() {
      since = undefined;
    },
    get wasAway() {
      return wasAway;
    },
  };
}
