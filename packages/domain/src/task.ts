/**
 * The life of a task, once: the types, docs/lifecycle.md and the tests of the SQL are all made from this table.
 * `from: null` is the moment of submission. A cause names what happened, not who did it.
 */
export const taskLifecycle = {
  states: {
    waiting: { isFinal: false, meaning: "not before a time: delayed, retrying, rate-limited or blocked" },
    pending: { isFinal: false, meaning: "may run as soon as a holder claims it" },
    running: { isFinal: false, meaning: "held under a lease" },
    completed: { isFinal: true, meaning: "ended with a result" },
    failed: { isFinal: true, meaning: "ended with an error; a dead letter until someone retries it" },
    cancelled: { isFinal: true, meaning: "ended because someone asked for it" },
  },
  transitions: [
    { cause: "submit", from: null, to: "pending", meaning: "accepted" },
    { cause: "delay", from: null, to: "waiting", meaning: "accepted, not before a time" },
    { cause: "refuse", from: null, to: "failed", meaning: "accepted, but nothing can ever run it" },
    { cause: "promote", from: "waiting", to: "pending", meaning: "its time has come" },
    { cause: "claim", from: "pending", to: "running", meaning: "a holder took it under a fence" },
    {
      cause: "complete",
      from: "running",
      to: "completed",
      meaning: "the holder of the current fence brought a result",
    },
    { cause: "fail_retry", from: "running", to: "waiting", meaning: "the attempt failed and another one is due" },
    { cause: "fail_final", from: "running", to: "failed", meaning: "the attempt failed and no other one is due" },
    { cause: "lose", from: "running", to: "pending", meaning: "the lease ended without an answer" },
    { cause: "quarantine", from: "running", to: "failed", meaning: "lost too often on different holders" },
    { cause: "release", from: "running", to: "pending", meaning: "the holder handed it back unharmed" },
    { cause: "cancel", from: "running", to: "cancelled", meaning: "the holder stopped it as asked, or was lost" },
    { cause: "cancel", from: "waiting", to: "cancelled", meaning: "cancelled before it ran" },
    { cause: "cancel", from: "pending", to: "cancelled", meaning: "cancelled before it ran" },
    { cause: "redrive", from: "failed", to: "pending", meaning: "put back into its queue by hand" },
    { cause: "redrive", from: "cancelled", to: "pending", meaning: "put back into its queue by hand" },
  ],
} as const;

export type TaskState = keyof typeof taskLifecycle.states;

/** Every state, in the order in which a task may pass them. */
export const taskStates = Object.keys(taskLifecycle.states) as TaskState[];

/** Whether a text names a state of a task. */
export function isTaskState(text: string): text is TaskState {
  return Object.hasOwn(taskLifecycle.states, text);
}

/** Whether a task in this state is done: nothing but a redrive moves it again. */
export function isFinal(state: TaskState): boolean {
  return taskLifecycle.states[state].isFinal;
}

/** Whether the table has a move between two states; `null` stands for "not submitted yet". */
export function canMove(from: TaskState | null, to: TaskState): boolean {
  return taskLifecycle.transitions.some((move) => move.from === from && move.to === to);
}
