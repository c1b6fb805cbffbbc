import { toJson } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import {
  type Environment,
  EnvironmentSchema,
  type Generation,
  ReplicaSchema,
  type Service,
  ServiceSchema,
} from "@drover/proto/drover/environment";
import { formatDuration } from "./duration.ts";
import { moment } from "./fact.ts";
import type { Cell, Color, Column } from "./table.ts";
import { environmentStateWord, replicaStateWord } from "./word.ts";

/** An environment for programs: the JSON of the contract, with the words of the product for states. */
export function environmentJson(environment: Environment): Record<string, unknown> {
  const json = toJson(EnvironmentSchema, environment, { alwaysEmitImplicit: true }) as Record<string, unknown>;
  return { ...json, state: environmentStateWord(environment.state), services: environment.services.map(serviceJson) };
}

/** A service for programs. */
export function serviceJson(service: Service): Record<string, unknown> {
  const json = toJson(ServiceSchema, service, { alwaysEmitImplicit: true }) as Record<string, unknown>;
  const instances = service.instances.map((replica) => ({
    ...(toJson(ReplicaSchema, replica, { alwaysEmitImplicit: true }) as Record<string, unknown>),
    state: replicaStateWord(replica.state),
  }));
  return { ...json, state: replicaStateWord(service.state), instances };
}

export const environmentColumns: Column[] = [
  { heading: "ENVIRONMENT" },
  { heading: "STATE" },
  { heading: "GENERATION", align: "right" },
  { heading: "CHANGED", align: "right" },
  { heading: "NOTE", isFlexible: true },
];

/** An environment as a row of the list. */
export function environmentRow(environment: Environment, nowMs: number): (Cell | string)[] {
  const { name, generation, updatedAt, message } = environment;
  const lead = leadOf(environment);
  // What each service says would make a line that nobody reads to its end.
  const note = message.length > longestNote ? `${lead} Try: drover env get ${name}` : message;
  return [name, environmentStateCell(environment), String(generation), ago(updatedAt, nowMs), note];
}

const longestNote = 100;

/** What a person wants to know of an environment first. */
export function environmentFacts(environment: Environment, nowMs: number): [string, Cell | string][] {
  const { name, generation, createdAt, updatedAt } = environment;
  const facts: [string, Cell | string | undefined][] = [
    ["Environment", name],
    ["State", environmentStateCell(environment)],
    ["", leadOf(environment) || undefined],
    ["Generation", String(generation)],
    ["Changed", moment(updatedAt, nowMs)],
    ["Created", generation > 1 ? moment(createdAt, nowMs) : undefined],
  ];
  return facts.filter((fact): fact is [string, Cell | string] => fact[1] !== undefined);
}

/** A state in its colour. */
export function environmentStateCell({ state }: Pick<Environment, "state">): Cell {
  const text = environmentStateWord(state);
  const color = colors[text];
  return { text, ...(color && { color }) };
}

/** What there is to say of the whole; what each service says stands with it. */
export function leadOf({ message, pausedReason }: Environment): string {
  return pausedReason === "" ? firstSentence(message) : `The roll-out is paused: ${pausedReason}`;
}

/** Up to the first full stop that ends a sentence; what comes behind it may begin with the name of a service. */
export function firstSentence(text: string): string {
  return /^.*?\.(?= [A-Z0-9]| [a-z0-9-]+: |$)/.exec(text)?.[0] ?? text;
}

export const generationColumns: Column[] = [
  { heading: "GENERATION", align: "right" },
  { heading: "APPLIED", align: "right" },
  { heading: "BY" },
  { heading: "NOTE" },
];

/** A generation as a row; the first of them is the newest. */
export function generationRow({ generation, copyOf, actor, createdAt }: Generation, nowMs: number, index: number) {
  const note = [index === 0 ? "newest" : "", copyOf > 0 ? `back to generation ${copyOf}` : ""].filter(Boolean);
  return [String(generation), ago(createdAt, nowMs), actor, note.join(", ")];
}

function ago(time: Generation["createdAt"], nowMs: number): string {
  return time === undefined ? "" : `${formatDuration(Math.max(0, nowMs - timestampMs(time)))} ago`;
}

const colors: Readonly<Record<string, Color>> = {
  ready: "green",
  converging: "blue",
  degraded: "yellow",
  failed: "red",
  stopped: "dim",
  deleting: "yellow",
};
