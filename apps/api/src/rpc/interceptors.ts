import type { Interceptor } from "@connectrpc/connect";
import { createDeadlineInterceptor } from "./deadline.ts";
import { createErrorInterceptor } from "./errors.ts";
import { createObserveInterceptor } from "./observe.ts";
import type { ObservedCall } from "./observe.ts";
import type { Validation } from "./validate.ts";

export interface InterceptorOptions {
  onCall: (call: ObservedCall) => void;
  draining: AbortSignal;
  validation: Validation;
}

/** The interceptors of every call, outermost first: each sees what those after it throw. */
export function createInterceptors({ onCall, draining, validation }: InterceptorOptions): Interceptor[] {
  return [
    createObserveInterceptor({ onCall }),
    createErrorInterceptor(),
    createDeadlineInterceptor({ draining }),
    validation.interceptor,
  ];
}
