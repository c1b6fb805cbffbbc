import type { Declaration, Service } from "@drover/domain/environment/declaration";
import { readEnvironment } from "./read-environment.ts";

/** The declaration of a text that must be right. */
export function compile(text: string): Declaration {
  const reading = readEnvironment({ text });
  if ("faults" in reading) throw new Error(reading.faults.map(({ line, message }) => `${line}: ${message}`).join("\n"));
  return reading.declaration;
}

/** An environment of one service, whose lines these are. */
export function around(...lines: string[]): string {
  return ["drover: environment/v1", "name: test", "services:", "  one:", ...lines.map((line) => `    ${line}`)].join(
    "\n",
  );
}

/** A service of an environment that has but one, from its lines beside the image. */
export function serviceOf(...lines: string[]): Service {
  const [service] = compile(around("image: redis", ...lines)).services;
  if (service === undefined) throw new Error("Expected a service, got none.");
  return service;
}

/** The faults of a text as `line:column message`. */
export function faultsOf(text: string): string[] {
  const reading = readEnvironment({ text });
  return "faults" in reading ? reading.faults.map(({ line, column, message }) => `${line}:${column} ${message}`) : [];
}

/** The messages about one service, from its lines beside the image. */
export function messagesOf(...lines: string[]): string[] {
  return faultsOf(around("image: redis", ...lines)).map((fault) => fault.replace(/^\d+:\d+ /, ""));
}
