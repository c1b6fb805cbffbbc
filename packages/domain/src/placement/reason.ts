import type { RejectionCode } from "./request.ts";

/** Why a node cannot run something; its sentence is written only for those who ask, as most reasons are never read. */
export interface Reason {
  code: RejectionCode;
  message: () => string;
}

/** A reason and how it is told. */
export function reason(code: RejectionCode, message: () => string): Reason {
  return { code, message };
}
