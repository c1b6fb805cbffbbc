import type { ErrorReason } from "@drover/domain/error";

/** What `drover` exits with. */
export type ExitCode = keyof typeof exitCodes;

/** Every exit code and its meaning, for the docs and for `drover --help`. */
export const exitCodes = {
  0: "done; where a task or a run was waited for, it completed; where services were waited for, those that are required run",
  1: "a task or a run failed or was cancelled, a required service failed, a file has faults, there is drift, or the request was refused",
  2: "the command line, or an input other than the file of a workflow or an environment, is wrong",
  3: "there is no such task, workflow, run, class, environment, service or node",
  4: "the API cannot be reached, or is not ready",
  5: "the deadline passed",
  130: "interrupted",
} as const;

/** The exit code for a refusal. */
export function exitCodeOf(reason: ErrorReason): ExitCode {
  return codeByReason[reason];
}

const codeByReason = {
  invalid: 2,
  not_found: 3,
  conflict: 1,
  overloaded: 1,
  unavailable: 4,
  unimplemented: 1,
  forbidden: 1,
  deadline: 5,
  internal: 1,
} as const satisfies Record<ErrorReason, ExitCode>;
