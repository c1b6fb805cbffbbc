/** The life of a run, once: types, docs/lifecycle.md and the tests of the SQL are made from this table. */
export const runLifecycle = {
  states: {
    pending: { isFinal: false, meaning: "accepted, no step was reached yet" },
    running: { isFinal: false, meaning: "steps are under way, or it waits for a time, an event, an approval" },
    completed: { isFinal: true, meaning: "every step completed or was not needed" },
    partially_completed: { isFinal: true, meaning: "some steps failed; what did not hang on them completed" },
    failed: { isFinal: true, meaning: "a failure, or its deadline, ended it" },
    cancelled: { isFinal: true, meaning: "ended because someone asked for it" },
  },
  transitions: [
    { cause: "start", from: null, to: "pending", meaning: "accepted" },
    { cause: "advance", from: "pending", to: "running", meaning: "its first steps were started" },
    { cause: "complete", from: "running", to: "completed", meaning: "nothing is left to do" },
    { cause: "complete", from: "pending", to: "completed", meaning: "its steps needed no task" },
    { cause: "complete", from: "pending", to: "partially_completed", meaning: "its steps needed no task; some failed" },
    { cause: "fail", from: "pending", to: "failed", meaning: "no step could be begun, or it was too late already" },
    {
      cause: "complete",
      from: "running",
      to: "partially_completed",
      meaning: "nothing is left to do; something failed",
    },
    {
      cause: "fail",
      from: "running",
      to: "failed",
      meaning: "everything failed, or its policy says so, or it took too long",
    },
    { cause: "cancel", from: "pending", to: "cancelled", meaning: "cancelled before a step was reached" },
    { cause: "cancel", from: "running", to: "cancelled", meaning: "everything that ran has stopped" },
    { cause: "resume", from: "partially_completed", to: "running", meaning: "what did not complete runs again" },
    { cause: "resume", from: "failed", to: "running", meaning: "what did not complete runs again" },
    { cause: "resume", from: "cancelled", to: "running", meaning: "what did not complete runs again" },
    { cause: "rerun", from: "completed", to: "running", meaning: "from a step on, by hand" },
  ],
} as const;

export type RunState = keyof typeof runLifecycle.states;
export type FinalRunState = Exclude<RunState, "pending" | "running">;

/** The life of a step; `null` is a step that was not reached. */
export const stepLifecycle = {
  states: {
    pending: { isFinal: false, meaning: "ready, held back by a limit of parallelism" },
    running: { isFinal: false, meaning: "tasks or nested runs work on it" },
    waiting: { isFinal: false, meaning: "for a time, an event or an approval" },
    completed: { isFinal: true, meaning: "has an output" },
    failed: { isFinal: true, meaning: "ended with an error" },
    skipped: { isFinal: true, meaning: "its branch was not taken, or something that it needs failed" },
    cancelled: { isFinal: true, meaning: "its run ended before it did" },
  },
  transitions: [
    { cause: "hold", from: null, to: "pending", meaning: "ready, but the run does enough at once" },
    { cause: "hold", from: "running", to: "pending", meaning: "its next round waits for room" },
    { cause: "hold", from: "waiting", to: "pending", meaning: "its next round waits for its turn" },
    { cause: "begin", from: null, to: "running", meaning: "everything that it needs is decided" },
    { cause: "begin", from: "pending", to: "running", meaning: "there is room for it" },
    { cause: "wait", from: null, to: "waiting", meaning: "its time, event or approval is still to come" },
    { cause: "wait", from: "pending", to: "waiting", meaning: "its turn has come; its time or event has not" },
    { cause: "skip", from: null, to: "skipped", meaning: "nothing leads to it, or what it needs failed" },
    { cause: "settle", from: null, to: "completed", meaning: "its value needed no task" },
    { cause: "settle", from: null, to: "failed", meaning: "it could not be begun" },
    { cause: "settle", from: "pending", to: "completed", meaning: "its turn came, and it needed no task" },
    { cause: "settle", from: "pending", to: "failed", meaning: "its turn came, and it could not be begun" },
    { cause: "settle", from: "running", to: "completed", meaning: "its work ended well" },
    { cause: "settle", from: "running", to: "failed", meaning: "its work failed for good" },
    { cause: "settle", from: "waiting", to: "completed", meaning: "what it waited for has come" },
    { cause: "settle", from: "waiting", to: "failed", meaning: "refused, or too late" },
    { cause: "stop", from: null, to: "cancelled", meaning: "its run ends between two rounds that needed no task" },
    { cause: "stop", from: "pending", to: "cancelled", meaning: "its run ends" },
    { cause: "stop", from: "running", to: "cancelled", meaning: "its run ends and its work has stopped" },
    { cause: "stop", from: "waiting", to: "cancelled", meaning: "its run ends" },
  ],
} as const;

export type StepState = keyof typeof stepLifecycle.states;

/** Whether a run in this state is done: nothing but a resume moves it again. */
export function isFinalRun(state: RunState): state is FinalRunState {
  return runLifecycle.states[state].isFinal;
}

/** Whether a step in this state is done. */
export function isFinalStep(state: StepState): boolean {
  return stepLifecycle.states[state].isFinal;
}
