import { eitherOf, quote } from "@drover/document/source/fault";
import type { Report } from "@drover/document/source/report";
import type { Value } from "@drover/document/source/value";

const container = [
  "executor",
  "image",
  "env",
  "workingDir",
  "mounts",
  "resources",
  "artifacts",
  "readOnlyRoot",
  "network",
];
const command = [...container, "payload", "take"];

/** The kinds of work that are a task, and what each may be described by. */
export const taskKinds = { run: command, command, worker: ["payload", "take"] } as const satisfies Kinds;

/** Everything that a step can do: exactly one of these keys says what it is. */
export const stepKinds = {
  ...taskKinds,
  llm: [],
  workflow: ["version", "input"],
  steps: ["input", "output", "maxParallel"],
  wait: [],
  waitUntil: [],
  event: [],
  approval: [],
  value: [],
} as const satisfies Kinds;

export type StepKind = keyof typeof stepKinds;
type Kinds = Readonly<Record<string, readonly string[]>>;

/** Which kind of work a step or tool is; keys that belong to another kind are reported. */
export function kindOf<K extends Kinds>(
  { fields = new Map(), ...at }: Value,
  report: Report,
  { kinds, own, name }: { kinds: K; own: readonly string[]; name: string },
): keyof K | undefined {
  const all = Object.keys(kinds);
  const [kind, second] = all.filter((key) => fields.has(key));
  if (kind === undefined) {
    report.add(at, `Expected ${name} with one of ${eitherOf(all)}, got none of them.`);
    return undefined;
  }
  if (second !== undefined) {
    report.add(
      fields.get(second)?.key ?? at,
      `Expected one of ${quote(kind)} and ${quote(second)} in ${name}, got both.`,
    );
    return undefined;
  }
  for (const [key, field] of fields) {
    const isKnown = Object.values(kinds).some((keys) => keys.includes(key));
    if (!isKnown || own.includes(key) || kinds[kind]?.includes(key) === true) continue;
    const companions = eitherOf(all.filter((other) => kinds[other]?.includes(key)));
    report.add(field.key, `Expected ${quote(key)} only together with ${companions}, got it with ${kind}.`);
  }
  return kind;
}
