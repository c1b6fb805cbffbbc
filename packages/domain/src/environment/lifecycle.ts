/** The life of a replica as its node and the control plane see it, once: types, docs/lifecycle.md and tests are made from it. */
export const replicaLifecycle = {
  states: {
    pending: { isFinal: false, meaning: "not on a node yet" },
    starting: { isFinal: false, meaning: "its image, its container, the first probes; or what it depends on" },
    running: { isFinal: false, meaning: "its probes succeed, or it has none" },
    unhealthy: { isFinal: false, meaning: "its probes do not succeed any more" },
    stopping: { isFinal: false, meaning: "its container is asked to end" },
    stopped: { isFinal: true, meaning: "its service was stopped, or it ended and is not to start again" },
    failed: { isFinal: false, meaning: "it ended, or never came up, and waits for its next start" },
  },
  transitions: [
    { cause: "declare", from: null, to: "pending", meaning: "wanted, and no node was found yet" },
    { cause: "place", from: "pending", to: "starting", meaning: "a node has room for it" },
    { cause: "come_up", from: "starting", to: "running", meaning: "its first probe succeeded" },
    { cause: "fail", from: "starting", to: "failed", meaning: "no image, no container, or not healthy in time" },
    { cause: "fail", from: "running", to: "failed", meaning: "its container ended" },
    { cause: "fail", from: "unhealthy", to: "failed", meaning: "its container ended" },
    { cause: "sicken", from: "running", to: "unhealthy", meaning: "so many probes failed in a row" },
    { cause: "recover", from: "unhealthy", to: "running", meaning: "a probe succeeded again" },
    { cause: "retry", from: "unhealthy", to: "starting", meaning: "its container is restarted" },
    { cause: "retry", from: "failed", to: "starting", meaning: "its restart policy has it start again" },
    { cause: "renew", from: "running", to: "starting", meaning: "a newer spec or a restart replaces its container" },
    { cause: "finish", from: "running", to: "stopped", meaning: "its container ended, and its restart policy lets it" },
    { cause: "stop", from: "pending", to: "stopped", meaning: "its service is stopped; there was no container" },
    {
      cause: "stop",
      from: "starting",
      to: "stopping",
      meaning: "its service is stopped, or it is not wanted any more",
    },
    { cause: "stop", from: "running", to: "stopping", meaning: "its service is stopped, or it is not wanted any more" },
    {
      cause: "stop",
      from: "unhealthy",
      to: "stopping",
      meaning: "its service is stopped, or it is not wanted any more",
    },
    { cause: "stop", from: "failed", to: "stopping", meaning: "its service is stopped, or it is not wanted any more" },
    { cause: "end", from: "stopping", to: "stopped", meaning: "its container has ended" },
    { cause: "start", from: "stopped", to: "starting", meaning: "its service is started again" },
  ],
} as const;

export type ReplicaState = keyof typeof replicaLifecycle.states;

/** The life of an environment. Nobody writes its state: it is a view of its replicas. */
export const environmentLifecycle = {
  states: {
    converging: { isFinal: false, meaning: "something is not as declared yet, and on its way" },
    ready: { isFinal: false, meaning: "everything runs that is not stopped" },
    degraded: { isFinal: false, meaning: "something does not run, but no required service has failed" },
    failed: { isFinal: false, meaning: "a required service has failed" },
    stopped: { isFinal: false, meaning: "all services are stopped" },
    deleting: { isFinal: true, meaning: "its containers are removed, then it is forgotten" },
  },
  transitions: [
    { cause: "apply", from: null, to: "converging", meaning: "a first generation" },
    { cause: "apply", from: "ready", to: "converging", meaning: "a new generation, a start or a restart" },
    { cause: "apply", from: "degraded", to: "converging", meaning: "a new generation, a start or a restart" },
    { cause: "apply", from: "failed", to: "converging", meaning: "a new generation, a start or a restart" },
    { cause: "apply", from: "stopped", to: "converging", meaning: "a new generation or a start" },
    { cause: "apply", from: "deleting", to: "converging", meaning: "wanted again before it was forgotten" },
    { cause: "converge", from: "converging", to: "ready", meaning: "all replicas run" },
    { cause: "converge", from: "degraded", to: "ready", meaning: "all replicas run again" },
    { cause: "converge", from: "failed", to: "ready", meaning: "all replicas run again" },
    {
      cause: "degrade",
      from: "converging",
      to: "degraded",
      meaning: "a replica does not come up, or a roll-out paused",
    },
    { cause: "degrade", from: "ready", to: "degraded", meaning: "a replica does not run any more" },
    { cause: "degrade", from: "failed", to: "degraded", meaning: "what is required runs again, in part" },
    { cause: "fail", from: "converging", to: "failed", meaning: "no replica of a required service comes up" },
    { cause: "fail", from: "ready", to: "failed", meaning: "the last replica of a required service failed" },
    { cause: "fail", from: "degraded", to: "failed", meaning: "the last replica of a required service failed" },
    { cause: "stop", from: "converging", to: "stopped", meaning: "all services are stopped" },
    { cause: "delete", from: "converging", to: "deleting", meaning: "someone asked for it" },
    { cause: "delete", from: "ready", to: "deleting", meaning: "someone asked for it" },
    { cause: "delete", from: "degraded", to: "deleting", meaning: "someone asked for it" },
    { cause: "delete", from: "failed", to: "deleting", meaning: "someone asked for it" },
    { cause: "delete", from: "stopped", to: "deleting", meaning: "someone asked for it" },
  ],
} as const;

export type EnvironmentState = keyof typeof environmentLifecycle.states;
