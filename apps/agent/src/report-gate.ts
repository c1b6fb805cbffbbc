import { DroverError } from "@drover/domain/error";

export interface ReportGateOptions {
  isLeased: () => boolean;
  epoch: () => string;
  /** Another process has this node's name: refusals are final. */
  isOver: () => boolean;
}

/**
 * Lets reports pass only while the lease is held. A node that was cut off may be registered anew without knowing it yet
 * (the answer is under way, or was lost): what it said under its former epoch was refused, though the claim is still its
 * own. Such a report is to be made again.
 */
export function createReportGate({ isLeased, epoch, isOver }: ReportGateOptions) {
  return async <T>(send: () => Promise<T>, isRefused: (answer: T) => boolean): Promise<T> => {
    if (isOver()) return send();
    if (!isLeased()) throw new DroverError("unavailable", "This node is not registered now; the report has to wait.");
    const before = epoch();
    const answer = await send();
    if (isRefused(answer) && !isOver() && (!isLeased() || epoch() !== before))
      throw new DroverError("unavailable", "This node was registered anew meanwhile; the report has to be made again.");
    return answer;
  };
}
