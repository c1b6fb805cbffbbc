/** What becomes of an attempt that ended with an error of this class. */
export type ErrorFate =
  | "retried" // by the task's retry policy
  | "final" // whatever attempts remain
  | "lost" // back to the queue; counted apart from failures, quarantined after a few
  | "released"; // back to the queue, not counted at all

/** The classes of errors that Drover itself gives to attempts; handlers may use words of their own. */
export const errorClasses = {
  error: { fate: "retried", meaning: "A worker's handler threw." },
  exit_nonzero: { fate: "retried", meaning: "The command ended with another exit status than 0." },
  timeout: { fate: "retried", meaning: "The attempt ran past the task's timeout and was stopped." },
  oom_killed: { fate: "retried", meaning: "The container needed more memory than its limit." },
  image_unavailable: { fate: "retried", meaning: "The image is not on the node and could not be pulled." },
  start_failed: { fate: "retried", meaning: "The container or process could not be started." },
  engine_unavailable: { fate: "retried", meaning: "The container engine did not answer for too long." },
  no_handler: { fate: "retried", meaning: "The worker that claimed the task has no handler for its type." },
  result_refused: { fate: "retried", meaning: "The result could not be stored." },
  rate_limited: {
    fate: "retried",
    meaning:
      "The provider of a model took no further calls for now (429). The call waits as long as it says, which is no failure until the 21st time in a row.",
  },
  provider_unavailable: {
    fate: "retried",
    meaning: "The provider of a model failed, could not be reached, or broke off or left out its answer.",
  },
  provider_malformed: { fate: "retried", meaning: "The provider of a model answered what cannot be read." },
  provider_refused: { fate: "final", meaning: "The provider of a model refused the request as it is (400, 404, 422)." },
  provider_denied: {
    fate: "final",
    meaning: "The provider of a model did not accept the node's key, or its account may not do this.",
  },
  content_filtered: { fate: "final", meaning: "The provider of a model withheld the answer for its content." },
  limit_exceeded: { fate: "final", meaning: "The call of a model is larger than a rate limit ever allows." },
  budget_exceeded: { fate: "final", meaning: "What the call of a model may cost is more than a budget has left." },
  invalid_execution: { fate: "final", meaning: "The execution section cannot be run as it is." },
  mount_refused: { fate: "final", meaning: "A mount lies outside the paths that the node's operator allows." },
  cancelled: { fate: "final", meaning: "Somebody cancelled the task." },
  quarantined: {
    fate: "final",
    meaning: "The task lost its lease too often; it is kept from running until someone retries it.",
  },
  lease_expired: { fate: "lost", meaning: "Its holder went silent for longer than the lease." },
  lease_lost: {
    fate: "lost",
    meaning: "Its holder could not renew in time and stopped the work, or was started anew.",
  },
  agent_restarted: { fate: "lost", meaning: "The agent was started anew and found nothing of the attempt." },
  gpu_lost: {
    fate: "lost",
    meaning:
      "A GPU that it was given failed, or its container lost the way to it; it starts anew where there is another.",
  },
  drained: { fate: "released", meaning: "The agent was stopped and the attempt did not end in time." },
  released: { fate: "released", meaning: "The holder handed the task back before it ran." },
} as const satisfies Record<string, { fate: ErrorFate; meaning: string }>;

/** The classes of one fate. */
export function classesOf(fate: ErrorFate): string[] {
  return Object.entries(errorClasses).flatMap(([name, { fate: its }]) => (its === fate ? [name] : []));
}
