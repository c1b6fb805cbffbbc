import { DroverError } from "@drover/domain/error";

/** The node had no lease when it was to be asked. */
export function awayFault(node: string, awaySeconds: number | null): DroverError {
  const since = awaySeconds === null ? "is not there" : `was last heard of ${awaySeconds} s before`;
  return fault(`Expected node "${node}" to answer, but it is lost: its agent ${since}.`, node);
}

/** It lost its lease while it was to answer. */
export function lostFault(node: string): DroverError {
  return fault(`Expected node "${node}" to answer, but it was lost meanwhile.`, node);
}

/** It has a lease, and says nothing. */
export function silentFault(node: string, ms: number, isBegun: boolean): DroverError {
  const what = isBegun ? "stopped answering" : "did not take up the request";
  return fault(`Expected node "${node}" to answer, but it ${what}: nothing came for ${Math.round(ms / 1000)} s.`, node);
}

/** The request ended without a last word. */
export function cutFault(node: string): DroverError {
  return new DroverError("unavailable", `The request to node "${node}" ended before its answer was whole.`, {
    hint: "Call again; the database may have been away for longer than requests live.",
  });
}

function fault(message: string, node: string): DroverError {
  return new DroverError("unavailable", message, {
    hint: `Look at "drover node get ${node}", and at the log of the agent on that host.`,
  });
}
