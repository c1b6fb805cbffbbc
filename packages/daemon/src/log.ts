import {
  type DestinationStream,
  destination,
  type Level,
  type Logger,
  pino,
  stdSerializers,
  stdTimeFunctions,
} from "pino";

import { createLineRedactor } from "./redact.ts";

/** Structured log: `log.info({ task, node }, "task claimed")`; an error goes under the key `error`. */
export type Log = Logger;

export type LogLevel = Level | "silent";

/** Every level, the most severe first. */
export const logLevels = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const satisfies LogLevel[];

export interface LogOptions {
  /** Which program speaks: `api`, `agent`. */
  app: string;
  level?: LogLevel;
  to?: "stderr" | "stdout" | DestinationStream;
  /** Values that must never appear, such as the passwords from the settings. */
  secrets?: readonly string[];
}

/** Makes the log of a process: one JSON object a line, secrets hidden wherever they stand. */
export function createLog({ app, level = "info", to = "stderr", secrets = [] }: LogOptions): Log {
  return pino(
    {
      level,
      base: { app },
      messageKey: "message",
      errorKey: "error",
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: stdSerializers.errWithCause },
      // The finished line passes here, so nothing can be logged around it: fields of children, errors, their causes.
      hooks: { streamWrite: createLineRedactor(secrets) },
    },
    typeof to === "string" ? destination({ dest: to === "stderr" ? 2 : 1, sync: true }) : to,
  );
}
